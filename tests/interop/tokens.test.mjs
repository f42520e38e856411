// phoenix.js and realtime-js against a phx-server that wants a token. The tokens are signed by node.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { WebSocket } from 'ws';
import { Log, fresh_topic, phx_server, shared_server, start, within } from './harness.mjs';
import * as phoenix from './phoenix_js.mjs';
import * as realtime from './realtime_js.mjs';
import { key_args, member_token, token_of } from './tokens.mjs';

const guarded = { ...phx_server, args: key_args() };
const server = shared_server(guarded);

// The text makes base64 of both "+" and "/" in the subprotocol likely, whatever the claims.
const good = member_token({ sub: 'ÿ?>~' });
const expired = member_token({ sub: 'u1', exp: 1 });
const forged = token_of({ sub: 'u1', role: 'authenticated', exp: 4102444800 },
    'another secret of the same length, or so');

/** The answer to an upgrade that is refused: [status, body]. */
function refusal(url) {
    const answered = new Promise((resolve, reject) => {
        const socket = new WebSocket(url);
        socket.on('open', () => reject(new Error('it was accepted')));
        socket.on('error', () => {});
        socket.on('unexpected-response', async (_, response) => {
            let body = '';
            for await (const chunk of response) {
                body += chunk;
            }
            resolve([response.statusCode, body]);
        });
    });
    return within(answered, 'a refusal');
}

for (const vsn of phoenix.versions) {
    describe(`phoenix.js, version ${vsn}`, () => {
        const joined = async (t, options) => {
            const socket = phoenix.connect(t, server.url('/socket'), vsn, options);
            const channel = socket.channel(fresh_topic('room:'), {});
            assert.equal((await phoenix.outcome(channel.join()))[0], 'ok');
        };

        test('gets in with its authToken', (t) => joined(t, { authToken: good }));
        test('gets in with a token among its params', (t) => joined(t, { params: { token: good } }));

        for (const [what, bad] of [
            ['a token of another secret', forged],
            ['a token that has expired', expired],
            ['what is no token', 'no-token'],
        ]) {
            test(`does not get in with ${what}`, async (t) => {
                const refused = new Promise((resolve) => {
                    const socket = phoenix.connect(t, server.url('/socket'), vsn, { authToken: bad });
                    socket.onOpen(() => resolve('opened'));
                    socket.onError(({ message }) => resolve(message));
                });
                const error = await within(refused, 'the end of the connect');
                assert.equal(error, 'Unexpected server response: 403');
            });
        }

        test('comes back with the token of then', async (t) => {
            const first = await start(guarded);
            let second;
            t.after(() => first.discard());
            t.after(() => second?.discard());
            let token = good;
            const options = { authToken: () => token, reconnectAfterMs: () => 20 };
            const socket = phoenix.connect(t, first.url('/socket'), vsn, options);
            const log = new Log('socket');
            socket.onOpen(() => log.add('open'));
            socket.onError(({ message }) => log.add('error', message));
            const channel = await phoenix.joined(socket, fresh_topic('room:'));
            await log.expect('open');
            await first.stop();
            token = forged;
            second = await start(guarded, first.port);
            while ((await log.next())[1] !== 'Unexpected server response: 403') {
                // Nobody listened when it tried before.
            }
            token = good;
            await log.skip_to('open');
            await channel.log.skip_to('join ok');
            await second.stop();
        });
    });
}

for (const vsn of realtime.versions) {
    test(`realtime-js, version ${vsn}, gets in with its apikey`, async (t) => {
        const client = realtime.client_of(t, server, vsn, { params: { apikey: good } });
        await realtime.subscribed(client, fresh_topic('lobby'));
    });
}

test('each endpoint refuses as its real server does', async () => {
    assert.deepEqual(await refusal(server.url('/socket/websocket?vsn=2.0.0')), [403, '']);
    assert.deepEqual(await refusal(server.url('/realtime/v1/websocket?vsn=2.0.0')),
        [401, '{"error":"API key is missing"}']);
    assert.deepEqual(await refusal(server.url(`/realtime/v1/websocket?vsn=2.0.0&apikey=${forged}`)),
        [401, '{"error":"Failed to validate JWT signature"}']);
    assert.deepEqual(await refusal(server.url(`/realtime/v1/websocket?vsn=2.0.0&apikey=${expired}`)),
        [401, '{"error":"Token has expired"}']);
});
