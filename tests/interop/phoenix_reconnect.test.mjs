// phoenix.js when things break: crashes, server restarts, refused connects; and its token subprotocol.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { WebSocket } from 'ws';
import { Log, conformance, fresh_topic, phx_server, shared_server, start } from './harness.mjs';
import { connect, join, joined, outcome, versions } from './phoenix_js.mjs';
import { token_named } from './tokens.mjs';

const server = shared_server(conformance);

for (const vsn of versions) {
    describe(`phoenix.js, version ${vsn}`, () => {
        const open = (t, options) => connect(t, server.url('/socket'), vsn, options);

        test('rejoins a channel that crashed; the others do not notice', async (t) => {
            const socket = open(t, { rejoinAfterMs: () => 20 });
            const topic = fresh_topic('room:');
            const channel = await joined(socket, topic);
            const other = await joined(socket, fresh_topic('room:'));
            const first_ref = channel.joinRef();
            channel.push('crash');
            await channel.log.expect('error', { reason: 'channel_crash' });
            await channel.log.expect('join ok', { motd: 'welcome', params: {}, topic });
            assert.notEqual(channel.joinRef(), first_ref);
            assert.deepEqual(await outcome(channel.push('echo', { back: true })), ['ok', { back: true }]);
            assert.deepEqual(await outcome(other.push('echo', { here: true })), ['ok', { here: true }]);
            other.log.expect_nothing();
        });

        test('buffers pushes while a crashed channel rejoins', async (t) => {
            const channel = await joined(open(t, { rejoinAfterMs: () => 20 }), fresh_topic('room:'));
            channel.push('crash');
            await channel.log.expect('error');
            assert.deepEqual(await outcome(channel.push('echo', { n: 1 })), ['ok', { n: 1 }]);
        });

        test('loses a channel to an event that nobody handles, and rejoins', async (t) => {
            const channel = await joined(open(t, { rejoinAfterMs: () => 20 }), fresh_topic('room:'));
            channel.push('no_such_event');
            await channel.log.expect('error', { reason: 'channel_crash' });
            await channel.log.expect('join ok');
        });

        test('reconnects and rejoins when it is kicked', async (t) => {
            const socket = open(t, { params: { token: `kicked-${vsn}` }, reconnectAfterMs: () => 20 });
            const log = new Log('socket');
            socket.onClose(({ code }) => log.add('close', code));
            const channel = await joined(socket, fresh_topic('room:'));
            channel.push('kick');
            await log.expect('close', 1001);
            await channel.log.expect('error');
            await channel.log.expect('join ok');
        });

        for (const [how, end] of [['is stopped', 'stop'], ['dies', 'crash']]) {
            test(`reconnects and rejoins when the server ${how} and comes back on its port`, async (t) => {
                const first = await start(conformance);
                let second;
                t.after(() => first.discard());
                t.after(() => second?.discard());
                const socket = connect(t, first.url('/socket'), vsn, { reconnectAfterMs: () => 20 });
                const log = new Log('socket');
                socket.onOpen(() => log.add('open'));
                socket.onClose(({ code }) => log.add('close', code));
                const topic = fresh_topic('room:');
                const a = join(socket, topic, { events: ['new_msg'] });
                const b = join(socket, fresh_topic('room:'));
                await Promise.all([a, b].map((channel) => channel.log.expect('join ok')));
                await log.expect('open');
                await first[end]();
                await log.expect('close', end === 'stop' ? 1012 : 1006);
                await a.log.expect('error');
                a.push('new_msg', { body: 'while it was away' });
                second = await start(conformance, first.port);
                await log.skip_to('open');
                await a.log.expect('join ok', { motd: 'welcome', params: {}, topic });
                await a.log.expect('new_msg', { body: 'while it was away' });
                await b.log.skip_to('join ok');
                await second.stop();
            });
        }

        test('retries a refused connect until it is let in', async (t) => {
            let attempts = 0;
            const params = () => ({ token: ++attempts < 4 ? 'bad' : 'good' });
            const socket = open(t, { params, reconnectAfterMs: () => 20 });
            const log = new Log('socket');
            socket.onError(({ message }) => log.add('error', message));
            socket.onOpen(() => log.add('open'));
            const channel = join(socket, fresh_topic('room:'));
            for (let i = 1; i < 4; i += 1) {
                await log.expect('error', 'Unexpected server response: 403');
            }
            await log.expect('open');
            await channel.log.skip_to('join ok');
            assert.equal(attempts, 4);
        });
    });
}

for (const [what, path, params, status] of [
    ['a token that the application refuses', '/socket', { token: 'bad' }, 403],
    ['a token refused with a reason', '/socket', { token: 'limited' }, 403],
    ['a token that the error handler of its socket answers', '/limited', { token: 'limited' }, 429],
    ['a connect that crashes', '/socket', { token: 'boom' }, 500],
    ['an unknown version', '/socket', { vsn: '3.0.0' }, 403],
    ['an unknown path', '/nowhere', {}, 404],
]) {
    test(`phoenix.js learns of ${what} as HTTP ${status}`, async (t) => {
        const { vsn = '2.0.0', ...rest } = params;
        const socket = connect(t, server.url(path), vsn, { params: rest, reconnectAfterMs: () => 60_000 });
        const log = new Log('socket');
        socket.onError(({ message }) => log.add('error', message));
        await log.expect('error', `Unexpected server response: ${status}`);
    });
}

test('phoenix.js carries its token in the subprotocol', async (t) => {
    const own = await start(phx_server);
    t.after(() => own.discard());
    const socket = connect(t, own.url('/socket'), '2.0.0', { authToken: token_named('secret-token?>') });
    const log = new Log('socket');
    socket.onError(({ message }) => log.add('error', message));
    socket.onOpen(() => log.add('open', socket.conn.protocol));
    await log.expect('open', 'phoenix');
    await joined(socket, 'realtime:lobby', { params: { config: {} } });
    socket.disconnect();
    await own.stop();
});

test('a connection without subprotocols gets none', async (t) => {
    const socket = connect(t, server.url('/socket'), '2.0.0', { params: { token: 'known' } });
    const log = new Log('socket');
    socket.onOpen(() => log.add('open', socket.conn.protocol));
    await log.expect('open', '');
    assert.equal(socket.conn.readyState, WebSocket.OPEN);
});
