// The example configuration that is shipped serves everything that the documentation promises.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { within } from '../interop/harness.mjs';
import { Site, tokens } from './site.mjs';

let site;
before(async () => {
    site = await new Site().start();
});
after(async () => {
    await site.server.stop();
    await site.close();
});

const { user, service } = tokens;
const in_the_lobby = { messages: [{ topic: 'lobby', event: 'e', payload: {} }] };
const to_the_lobby = { route: 'topic:realtime:lobby', event: 'e', payload: {} };

describe('HTTP', () => {
    // method, path, token, body; status, body
    const answers = [
        ['GET', '/health', null, null, 200, '{"status":"ok"}'],
        ['GET', '/ready', null, null, 200, '{"status":"ok"}'],
        ['GET', '/metrics', null, null, 200, /^phx_connections 0$/m],
        ['GET', '/', null, null, 200, /<title>phx-server<\/title>/],
        ['GET', '/api/ping', null, null, 200, '{"message":"Success"}'],
        ['GET', '/nothing', null, null, 404, /not found/],
        ['POST', '/health', null, null, 405, /method not allowed/],
        ['GET', '/api/topics', null, null, 401, /Unauthorized/],
        ['GET', '/api/topics', user, null, 403, /service_role/],
        ['GET', '/api/topics', service, null, 200, '{"topics":[],"next":null}'],
        ['GET', '/api/topics?limit=0', service, null, 400, /limit/],
        ['GET', '/api/connections', user, null, 403, /service_role/],
        ['GET', '/api/connections', service, null, 200, '{"connections":[],"next":null}'],
        ['POST', '/api/broadcast', null, in_the_lobby, 401, /Unauthorized/],
        ['POST', '/api/broadcast', user, in_the_lobby, 202, ''],
        ['POST', '/realtime/v1/api/broadcast', user, in_the_lobby, 202, ''],
        ['POST', '/api/broadcast/lobby/events/e', user, { n: 1 }, 202, ''],
        ['POST', '/api/broadcast', user, {}, 422, /messages/],
        ['POST', '/api/send', user, to_the_lobby, 403, /service_role/],
        ['POST', '/api/send', service, to_the_lobby, 202, '{"accepted":true,"delivered":0}'],
        ['POST', '/api/disconnect', service, { route: 'user:nobody' }, 200, '{"disconnected":0}'],
        ['GET', '/socket/websocket', user, null, 400, /upgrade/],
        ['GET', '/socket/longpoll?vsn=2.0.0', null, null, 200, /"status":403/],
        ['GET', '/socket/longpoll?vsn=2.0.0', user, null, 200, /"status":410/],
    ];
    for (const [method, path, token, body, status, text] of answers) {
        const who = token === null ? 'nobody' : token === user ? 'a user' : 'the service role';
        test(`${method} ${path} by ${who} is ${status}`, async () => {
            const answer = await site.ask(method, path, { token, body });
            assert.equal(answer.status, status, answer.body);
            text instanceof RegExp ? assert.match(answer.body, text) : assert.equal(answer.body, text);
        });
    }

    test('pages of the allowed origins may ask, others not', async () => {
        const preflight = (origin) => site.ask('OPTIONS', '/api/broadcast', { headers: { origin } });
        for (const origin of ['https://app.example.com', 'https://a.b.example.com']) {
            const allowed = await preflight(origin);
            assert.equal(allowed.status, 204);
            assert.equal(allowed.headers['access-control-allow-origin'], origin);
        }
        assert.equal((await preflight('https://example.org')).status, 403);
    });

    test('without TLS there is no answer', async () => {
        const socket = connect(site.server.port, '127.0.0.1');
        socket.write('GET /health HTTP/1.1\r\nhost: a\r\n\r\n');
        let text = '';
        socket.on('data', (bytes) => (text += bytes.toString('latin1')));
        socket.on('error', () => {});
        await within(once(socket, 'close'), 'the end of the connection');
        assert.ok(!text.includes('HTTP'), text);
    });
});

describe('WebSockets', () => {
    for (const path of ['/socket', '/realtime/v1']) {
        test(`${path} carries a broadcast from one phx-cli to another`, async () => {
            const listener = site.cli('listen', path, 'realtime:lobby', '--raw', '--count', '1');
            await listener.printed(/joined realtime:lobby/, 'that it has joined');
            await site.cli('send', path, 'realtime:lobby', 'greeting', '{"n":1}', '--ack').expect_exit(0);
            await listener.expect_exit(0);
            assert.deepEqual(JSON.parse(listener.stdout).payload, { n: 1 });
        });
    }

    test('nobody gets in without a token', async () => {
        const refused = site.cli('send', '/socket', 'realtime:lobby', 'e', '{}', '--token', 'nonsense');
        await refused.expect_exit(4);
    });

    test('there is no echo channel', async () => {
        const refused = site.cli('listen', '/socket', 'room:1');
        await refused.expect_exit(5);
        assert.match(refused.stderr, /unmatched topic/);
    });
});
