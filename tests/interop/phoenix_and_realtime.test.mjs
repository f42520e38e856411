// phoenix.js on phx-server: with realtime-js on one topic, and on the echo topics that try things out.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bytes, bytes_of, fresh_topic, phx_server, shared_server } from './harness.mjs';
import { connect, joined, outcome } from './phoenix_js.mjs';
import { client_of, expect_heard, shout, subscribed, versions } from './realtime_js.mjs';

const server = shared_server(phx_server);

for (const vsn of versions) {
    describe(`phoenix.js, version ${vsn}, on phx-server`, () => {
        const open = (t, options) => connect(t, server.url('/socket'), vsn, options);

        /** On a realtime: topic, with this join config. */
        const member = (t, name, config = {}) =>
            joined(open(t), `realtime:${name}`, {
                params: { config }, events: ['broadcast', 'presence_state', 'presence_diff'],
            });

        const message = (event, payload) => ({ type: 'broadcast', event, payload });

        for (const other_vsn of versions) {
            test(`sends to realtime-js, version ${other_vsn}`, async (t) => {
                const name = fresh_topic('lobby');
                const listener = await subscribed(client_of(t, server, other_vsn), name, { events: ['*'] });
                const channel = await member(t, name, { broadcast: { ack: true } });
                const push = channel.push('broadcast', message('greeting', { hello: 'world' }));
                assert.deepEqual(await outcome(push), ['ok', {}]);
                await expect_heard(listener, 'greeting', { hello: 'world' });
                channel.log.expect_nothing();
            });
        }

        // Version 2 of realtime-js sends frames of kind 3, whose copies of kind 4 phoenix.js cannot read.
        for (const other_vsn of vsn === '1.0.0' ? versions : ['1.0.0']) {
            test(`hears realtime-js, version ${other_vsn}`, async (t) => {
                const name = fresh_topic('lobby');
                const channel = await member(t, name);
                const sender = await subscribed(client_of(t, server, other_vsn), name);
                await shout(sender, 'greeting', { hello: 'world' });
                await channel.log.expect('broadcast', message('greeting', { hello: 'world' }));
            });
        }

        test('sees the presence of realtime-js', async (t) => {
            const name = fresh_topic('lobby');
            const config = { presence: { key: 'alice' } };
            const alice = await subscribed(client_of(t, server, '2.0.0'), name, { config, presence: true });
            assert.equal(await alice.track({ name: 'Alice' }), 'ok');
            const channel = await member(t, name, { presence: { enabled: true } });
            const { alice: { metas: [{ phx_ref, ...meta }] } } = await channel.log.expect('presence_state');
            assert.deepEqual(meta, { name: 'Alice' });
            assert.equal(await alice.untrack(), 'ok');
            const left = { metas: [{ phx_ref, name: 'Alice' }] };
            await channel.log.expect('presence_diff', { joins: {}, leaves: { alice: left } });
        });

        test('is refused a realtime topic without a name', async (t) => {
            const channel = open(t, { rejoinAfterMs: () => 60_000 }).channel('realtime:', { config: {} });
            assert.deepEqual(await outcome(channel.join()),
                ['error', { reason: 'TopicNameRequired: You must provide a topic name' }]);
        });

        test('gets its pushes echoed on any other topic', async (t) => {
            const channel = await joined(open(t, { rejoinAfterMs: () => 20 }), fresh_topic('anything:'));
            assert.deepEqual(await outcome(channel.push('hello', { a: [1] })), ['ok', { a: [1] }]);
            assert.deepEqual(await outcome(channel.push('error', { no: 1 })), ['error', { no: 1 }]);
            assert.deepEqual(await outcome(channel.push('noreply', {}, 50)), ['timeout']);
            if (vsn === '2.0.0') {
                const [status, response] = await outcome(channel.push('hello', bytes(0, 255)));
                assert.deepEqual([status, bytes_of(response)], ['ok', [0, 255]]);
            }
            channel.push('crash');
            await channel.log.expect('error', { reason: 'channel_crash' });
            await channel.log.expect('join ok');
            channel.push('stop');
            await channel.log.expect('close');
        });

        test('shouts to every member of any other topic', async (t) => {
            const topic = fresh_topic('anything:');
            const a = await joined(open(t), topic, { events: ['shout'] });
            const b = await joined(open(t), topic, { events: ['shout'] });
            assert.deepEqual(await outcome(a.push('shout', { n: 1 })), ['ok', {}]);
            await a.log.expect('shout', { n: 1 });
            await b.log.expect('shout', { n: 1 });
        });
    });
}
