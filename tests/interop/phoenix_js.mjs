// phoenix.js 1.8.16 as the suites use it, over both serializers.
import { Socket } from 'phoenix';
import { WebSocket } from 'ws';
import { Log, within } from './harness.mjs';
import { member_token, with_tokens } from './tokens.mjs';

export const versions = ['1.0.0', '2.0.0'];

// phoenix.js speaks version 2; version 1 is these two functions, as its documentation gives them.
const json_objects = {
    encode: (message, done) => {
        const { topic, event, payload, ref, join_ref } = message;
        done(JSON.stringify({ topic, event, payload, ref, join_ref }));
    },
    decode: (text, done) => done(JSON.parse(text)),
};

/** A transport that trusts these authorities (PEM). */
export const trusting = (ca) => class extends WebSocket {
    constructor(url, protocols) {
        super(url, protocols, { ca });
    }
};

/** In a run with tokens who is named by `token` has a token that says so, and anybody else an authToken. */
function credentials({ params, authToken }) {
    if (!with_tokens) {
        return {};
    }
    const signed = ({ token, ...rest } = {}) =>
        (token ? { ...rest, token: member_token({ sub: token }) } : rest);
    if (typeof params === 'function') {
        return { params: () => signed(params()) };
    }
    return { params: signed(params), ...(params?.token ? {} : { authToken: authToken ?? member_token() }) };
}

/** A connected socket of the given version, disconnected after the test. */
export function connect(t, url, vsn, options = {}) {
    const socket = new Socket(url, {
        transport: WebSocket,
        vsn,
        ...(vsn === '1.0.0' ? json_objects : {}),
        ...options,
        ...credentials(options),
    });
    t.after(() => within(new Promise((closed) => socket.disconnect(closed)), 'disconnect'));
    socket.connect();
    return socket;
}

/** Resolves to [status, response] once the push is answered or timed out. */
export function outcome(push, ...more_statuses) {
    const answered = new Promise((resolve) => {
        for (const status of ['ok', 'error', ...more_statuses]) {
            push.receive(status, (response) => resolve([status, response]));
        }
        push.receive('timeout', () => resolve(['timeout']));
    });
    return within(answered, `an answer to ${push.event}`);
}

/** A channel whose life and named events go to `channel.log`; its join is already under way. */
export function join(socket, topic, { params = {}, events = [], timeout } = {}) {
    const channel = socket.channel(topic, params);
    channel.log = new Log(topic);
    channel.onError((reason) => channel.log.add('error', reason));
    channel.onClose(() => channel.log.add('close'));
    for (const event of events) {
        channel.on(event, channel.log.adder(event));
    }
    channel.join(timeout)
        .receive('ok', (response) => channel.log.add('join ok', response))
        .receive('error', (response) => channel.log.add('join error', response))
        .receive('timeout', () => channel.log.add('join timeout'));
    return channel;
}

/** The same, joined. */
export async function joined(socket, topic, options) {
    const channel = join(socket, topic, options);
    await channel.log.expect('join ok');
    return channel;
}
