// phoenix.js against the recorded application: join, push, broadcast, leave.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Log, conformance, every_kind_of_json, fresh_topic, shared_server } from './harness.mjs';
import { connect, join, joined, outcome, versions } from './phoenix_js.mjs';

const server = shared_server(conformance);

for (const vsn of versions) {
    describe(`phoenix.js, version ${vsn}`, () => {
        const open = (t, options) => connect(t, server.url('/socket'), vsn, options);

        test('joins and gets the reply of the join', async (t) => {
            const topic = fresh_topic('room:');
            const channel = join(open(t), topic, { params: { user: 'u1' } });
            await channel.log.expect('join ok', { motd: 'welcome', params: { user: 'u1' }, topic });
            assert.equal(channel.state, 'joined');
        });

        test('joins with an empty reply', async (t) => {
            const channel = join(open(t), 'room:plain');
            await channel.log.expect('join ok', {});
        });

        test('joins several topics on one connection', async (t) => {
            const socket = open(t);
            const names = ['room:', 'room:', 'bench:'].map(fresh_topic);
            const channels = await Promise.all(names.map((topic) => joined(socket, topic)));
            for (const [i, channel] of channels.entries()) {
                assert.deepEqual(await outcome(channel.push('echo', { i })), ['ok', { i }]);
            }
        });

        test('is refused by the params, and joins when they have changed', async (t) => {
            let attempts = 0;
            const params = () => (++attempts < 3 ? { deny: true } : { attempts });
            const topic = fresh_topic('room:');
            const channel = join(open(t, { rejoinAfterMs: () => 20 }), topic, { params });
            await channel.log.expect('join error', { reason: 'unauthorized' });
            await channel.log.expect('join error', { reason: 'unauthorized' });
            const { params: accepted } = await channel.log.expect('join ok');
            assert.equal(accepted.attempts, attempts);
        });

        test('is refused by the topic, retries, and stops when it leaves', async (t) => {
            const channel = join(open(t, { rejoinAfterMs: () => 20 }), 'room:secret');
            for (let i = 0; i < 3; i += 1) {
                await channel.log.expect('join error', { reason: 'unauthorized' });
            }
            await outcome(channel.leave());
            await channel.log.skip_to('close');
            assert.equal(channel.state, 'closed');
            channel.log.expect_nothing();
        });

        test('is told that no channel serves a topic', async (t) => {
            const channel = join(open(t, { rejoinAfterMs: () => 60_000 }), fresh_topic('nowhere:'));
            await channel.log.expect('join error', { reason: 'unmatched topic' });
        });

        test('is told that a join crashed, and the connection lives on', async (t) => {
            const socket = open(t, { rejoinAfterMs: () => 60_000 });
            const crashing = join(socket, 'room:crashjoin');
            await crashing.log.expect('join error', { reason: 'join crashed' });
            const channel = await joined(socket, fresh_topic('room:'));
            assert.deepEqual(await outcome(channel.push('echo', { a: 1 })), ['ok', { a: 1 }]);
        });

        test('gives up a slow join', async (t) => {
            let attempts = 0;
            const params = () => ({ ms: ++attempts === 1 ? 400 : 0 });
            const rejoinAfterMs = () => (vsn === '1.0.0' ? 60_000 : 20);
            const channel = join(open(t, { rejoinAfterMs }), 'room:slowjoin', { params, timeout: 100 });
            await channel.log.expect('join timeout');
            if (vsn === '1.0.0') {
                // Without a join_ref phoenix.js obeys the phx_close that answers its leave.
                await channel.log.expect('close');
                return;
            }
            while ((await channel.log.next('join ok'))[0] !== 'join ok') {
                // Rejoins may time out while the server is still busy with the first.
            }
            assert.equal(channel.state, 'joined');
        });

        test('gets ok, error and custom replies with their responses', async (t) => {
            const channel = await joined(open(t), fresh_topic('room:'));
            const hello = { hello: 'world' };
            assert.deepEqual(await outcome(channel.push('echo', hello)), ['ok', hello]);
            assert.deepEqual(await outcome(channel.push('fail', { a: 1 })),
                ['error', { reason: 'failed', echo: { a: 1 } }]);
            assert.deepEqual(await outcome(channel.push('ok_empty')), ['ok', {}]);
            assert.deepEqual(await outcome(channel.push('error_empty')), ['error', {}]);
            assert.deepEqual(await outcome(channel.push('custom_status', { x: 1 }), 'custom'),
                ['custom', { x: 1 }]);
        });

        test('times out a push that is not answered, and the next is answered', async (t) => {
            const channel = await joined(open(t), fresh_topic('room:'));
            assert.deepEqual(await outcome(channel.push('noreply', {}, 50)), ['timeout']);
            assert.deepEqual(await outcome(channel.push('echo', { n: 2 })), ['ok', { n: 2 }]);
        });

        test('answers pipelined pushes in order', async (t) => {
            const channel = await joined(open(t), fresh_topic('room:'));
            const order = [];
            const pushes = Array.from({ length: 500 }, (_, n) =>
                outcome(channel.push('echo', { n })).then(([status, response]) => {
                    assert.equal(status, 'ok');
                    order.push(response.n);
                }));
            await Promise.all(pushes);
            assert.deepEqual(order, Array.from({ length: 500 }, (_, n) => n));
        });

        test('keeps every kind of JSON payload', async (t) => {
            const channel = await joined(open(t), fresh_topic('room:'));
            const answer = await outcome(channel.push('echo', every_kind_of_json));
            assert.deepEqual(answer, ['ok', every_kind_of_json]);
        });

        test('keeps a payload of 1 MiB', async (t) => {
            const channel = await joined(open(t), fresh_topic('room:'));
            const payload = { body: 'x'.repeat(1024 * 1024) };
            assert.deepEqual(await outcome(channel.push('echo', payload)), ['ok', payload]);
        });

        test('uses topics beyond ASCII', async (t) => {
            const topic = fresh_topic('room:místnost 🏠 ');
            const channel = await joined(open(t), topic, { events: ['pushed'] });
            channel.push('push_me', { x: 1 });
            await channel.log.expect('pushed', { x: 1 });
        });

        test('gets a burst of server pushes in full', async (t) => {
            const channel = await joined(open(t), fresh_topic('room:'), { events: ['burst_item'] });
            channel.push('burst', { n: 1000, payload: { k: 'v' } });
            for (let i = 0; i < 1000; i += 1) {
                await channel.log.expect('burst_item', { k: 'v' });
            }
            assert.deepEqual(await outcome(channel.push('echo', {})), ['ok', {}]);
            channel.log.expect_nothing();
        });

        test('broadcasts to itself and to another client', async (t) => {
            const topic = fresh_topic('room:');
            const a = await joined(open(t), topic, { events: ['new_msg'] });
            const b = await joined(open(t), topic, { events: ['new_msg'] });
            a.push('new_msg', { body: 'hi' });
            await a.log.expect('new_msg', { body: 'hi' });
            await b.log.expect('new_msg', { body: 'hi' });
        });

        test('broadcasts to itself before the reply', async (t) => {
            const channel = await joined(open(t), fresh_topic('room:'), { events: ['new_msg'] });
            const [status] = await outcome(channel.push('new_msg_ack', { body: 'hi' }));
            assert.equal(status, 'ok');
            await channel.log.expect('new_msg', { body: 'hi' });
        });

        test('broadcasts to the others only', async (t) => {
            const topic = fresh_topic('room:');
            const a = await joined(open(t), topic, { events: ['new_msg'] });
            const b = await joined(open(t), topic, { events: ['new_msg'] });
            a.push('new_msg_from', { body: 'hi' });
            await b.log.expect('new_msg', { body: 'hi' });
            b.push('new_msg', { body: 'after' });
            await a.log.expect('new_msg', { body: 'after' });
            a.log.expect_nothing();
        });

        test('does not hear other topics', async (t) => {
            const socket = open(t);
            const a = await joined(socket, fresh_topic('room:'), { events: ['new_msg'] });
            const b = await joined(socket, fresh_topic('room:'), { events: ['new_msg'] });
            a.push('new_msg', { body: 'for a' });
            b.push('new_msg', { body: 'for b' });
            await a.log.expect('new_msg', { body: 'for a' });
            await b.log.expect('new_msg', { body: 'for b' });
            await outcome(a.push('echo', {}));
            a.log.expect_nothing();
            b.log.expect_nothing();
        });

        test('leaves, hears nothing more, and may join again', async (t) => {
            const topic = fresh_topic('room:');
            const socket = open(t);
            const a = await joined(socket, topic, { events: ['new_msg'] });
            const b = await joined(open(t), topic, { events: ['new_msg'] });
            assert.deepEqual(await outcome(a.leave()), ['ok', {}]);
            await a.log.expect('close');
            // On one connection the server answers in order: it has taken the leave when this is answered.
            const other = await joined(socket, fresh_topic('room:'));
            const wire = new Log('wire');
            socket.onMessage(({ event, topic: to }) => wire.add(event, to));
            assert.deepEqual(await outcome(b.push('new_msg_ack', { body: 'gone' })), ['ok', {}]);
            await b.log.expect('new_msg', { body: 'gone' });
            await outcome(other.push('echo'));
            await wire.expect('phx_reply', other.topic);
            wire.expect_nothing();
            const again = await joined(socket, topic, { events: ['new_msg'] });
            b.push('new_msg', { body: 'back' });
            await again.log.expect('new_msg', { body: 'back' });
            a.log.expect_nothing();
        });

        test('replaces the channel of a topic by a second one', async (t) => {
            const topic = fresh_topic('room:');
            const socket = open(t);
            const first = await joined(socket, topic, { params: { n: 1 } });
            const second = join(socket, topic, { params: { n: 2 } });
            await first.log.expect('close');
            if (vsn === '1.0.0') {
                // Without a join_ref phoenix.js takes the phx_close of the first for the second's.
                await second.log.skip_to('close');
            } else {
                await second.log.expect('join ok', { motd: 'welcome', params: { n: 2 }, topic });
                assert.deepEqual(await outcome(second.push('echo', { n: 3 })), ['ok', { n: 3 }]);
                assert.deepEqual([first.state, second.state], ['closed', 'joined']);
            }
            await joined(socket, fresh_topic('room:'));
        });

        test('sends pushes that were made before the join was answered', async (t) => {
            const channel = join(open(t), fresh_topic('room:'), { events: ['new_msg'] });
            const early = [1, 2].map((n) => outcome(channel.push('echo', { n })));
            channel.push('new_msg', { body: 'early' });
            await channel.log.expect('join ok');
            assert.deepEqual(await Promise.all(early), [['ok', { n: 1 }], ['ok', { n: 2 }]]);
            await channel.log.expect('new_msg', { body: 'early' });
        });

        test('is closed by the server and does not rejoin', async (t) => {
            const socket = open(t, { rejoinAfterMs: () => 1 });
            const channel = await joined(socket, fresh_topic('room:'));
            assert.deepEqual(await outcome(channel.push('stop', { bye: 1 })), ['ok', { bye: 1 }]);
            await channel.log.expect('close');
            await joined(socket, fresh_topic('room:'));
            assert.equal(channel.state, 'closed');
            channel.log.expect_nothing();
        });

        test('gets its heartbeats answered', async (t) => {
            const socket = open(t, { heartbeatIntervalMs: 50 });
            const log = new Log('heartbeat');
            socket.onClose(() => log.add('close'));
            socket.onMessage(({ topic, event, payload }) => topic === 'phoenix' && log.add(event, payload));
            for (let i = 0; i < 3; i += 1) {
                await log.expect('phx_reply', { status: 'ok', response: {} });
            }
        });

        test('gets a ping answered', async (t) => {
            const socket = open(t);
            const log = new Log('ping');
            socket.onOpen(() => socket.ping(log.adder('round trip')));
            assert.ok((await log.expect('round trip')) >= 0);
        });
    });
}

test('phoenix.js of both versions share a topic', async (t) => {
    const topic = fresh_topic('room:');
    const members = [];
    for (const vsn of versions) {
        members.push(await joined(connect(t, server.url('/socket'), vsn), topic, { events: ['new_msg'] }));
    }
    for (const [from, sender] of members.entries()) {
        sender.push('new_msg', { from });
        for (const member of members) {
            await member.log.expect('new_msg', { from });
        }
    }
});
