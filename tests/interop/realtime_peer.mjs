// realtime_peer, our layer for Supabase, with the functions and shapes of realtime_js.mjs: the suites treat
// both alike.
import assert from 'node:assert/strict';
import { Log, Program, bytes, bytes_of, within } from './harness.mjs';
import { plain, plain_state } from './realtime_js.mjs';
import { token_named } from './tokens.mjs';

/** A client that connects with its first channel; its program must end with 0 after the test. */
export function client_of(t, server, vsn, { params: { apikey } = { apikey: token_named('any-key') } } = {}) {
    const client = new Client(server.url('/realtime/v1'), vsn, apikey);
    t.after(() => client.end());
    return client;
}

export function subscribe(client, topic, { config = {}, events = [], presence = false } = {}) {
    const channel = new Channel(client, topic);
    channel.subscribing = client.ask('subscribe', {
        name: topic, events, presence,
        self: config.broadcast?.self ?? false,
        ack: config.broadcast?.ack ?? false,
        private: config.private ?? false,
        presence_key: config.presence?.key ?? '',
    });
    return channel;
}

export async function subscribed(client, topic, options) {
    const channel = subscribe(client, topic, options);
    await channel.statuses.expect('SUBSCRIBED', undefined);
    assert.equal(await channel.subscribing, 'ok');
    return channel;
}

class Client {
    #program;
    #read = 0;
    #asked = 0;
    #waiting = new Map();
    #channels = new Map();
    failures = [];   // what Socket::on_error was told

    constructor(url, vsn, apikey) {
        this.#program = new Program('PHX_REALTIME_PEER', [url, vsn], { PHX_REALTIME_API_KEY: apikey });
        this.#program.on_output = () => this.#take();
    }

    /** 'ok', what was asked for, or the error. */
    ask(what, rest) {
        const id = ++this.#asked;
        const answered = new Promise((resolve) => this.#waiting.set(id, resolve));
        this.#program.give(`${JSON.stringify({ id, do: what, ...rest })}\n`);
        return within(answered, `the end of ${what} ${JSON.stringify(rest)}`).catch((late) => {
            throw new Error(`${late.message}: ${this.#program.output}`);
        });
    }

    add(channel) {
        this.#channels.set(`realtime:${channel.name}`, channel);
    }

    setAuth(token) {
        return this.ask('set_auth', { token });
    }

    async end() {
        this.#program.end_input();
        await this.#program.expect_exit(0);
    }

    #take() {
        for (;;) {
            const end = this.#program.stdout.indexOf('\n', this.#read);
            if (end < 0) {
                return;
            }
            const line = JSON.parse(this.#program.stdout.slice(this.#read, end));
            this.#read = end + 1;
            if (line.topic !== undefined) {
                this.#channels.get(line.topic).take(line);
            } else if (line.failed !== undefined) {
                this.failures.push(line.failed);
            } else {
                this.#waiting.get(line.id)(line.error ?? (line.ok === true ? 'ok' : line.ok));
                this.#waiting.delete(line.id);
            }
        }
    }
}

class Channel {
    #client;

    constructor(client, name) {
        this.#client = client;
        this.name = name;
        for (const log of ['statuses', 'heard', 'seen', 'gaps']) {
            this[log] = new Log(`our ${name} ${log}`);
        }
        client.add(this);
    }

    send({ event, payload }) {
        return payload instanceof ArrayBuffer
            ? this.#ask('send_binary', { event, bytes: bytes_of(payload) })
            : this.#ask('send', { event, payload });
    }

    track(payload) {
        return this.#ask('track', { payload });
    }

    untrack() {
        return this.#ask('untrack');
    }

    unsubscribe() {
        return this.#ask('unsubscribe');
    }

    async present() {
        return plain_state((await this.#ask('presence_state')) ?? {});
    }

    take({ log, event, value }) {
        const shaped = {
            statuses: () => value?.message,
            heard: ({ bytes: list, ...message } = value) =>
                (list ? { ...message, payload: bytes(...list) } : message),
            seen: () => (event === 'sync' ? plain_state(value ?? {})
                                          : [value[0], value[1].map(plain), value[2].map(plain)]),
            gaps: () => undefined,
        };
        if (log === 'statuses' && value !== null) {
            this.error = value;
        }
        this[log].add(event, shaped[log]());
    }

    #ask(what, rest = {}) {
        return this.#client.ask(what, { name: this.name, ...rest });
    }
}
