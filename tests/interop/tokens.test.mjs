// phoenix.js and realtime-js against a phx-server that wants a token. The tokens are signed by node.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { WebSocket } from 'ws';
import { fresh_topic, phx_server, shared_server, within } from './harness.mjs';
import * as phoenix from './phoenix_js.mjs';
import * as realtime from './realtime_js.mjs';
import { secret, token_of } from './token.mjs';

const server = shared_server({ ...phx_server, args: [], env: { PHX_SERVER_JWT_SECRET: secret } });

// The text makes base64 of both "+" and "/" in the subprotocol likely, whatever the claims.
const good = token_of({ sub: 'ÿ?>~', role: 'authenticated', exp: 4102444800 });
const forged = token_of({ sub: 'u1', role: 'authenticated', exp: 4102444800 }, 'another secret of the same length, or so');

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

        test('does not get in with a token of another secret', async (t) => {
            const refused = new Promise((resolve) => {
                const socket = phoenix.connect(t, server.url('/socket'), vsn, { authToken: forged });
                socket.onOpen(() => resolve('opened'));
                socket.onError(() => resolve('refused'));
            });
            assert.equal(await within(refused, 'the end of the connect'), 'refused');
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
});
