// realtime-js against phx-server: presence.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fresh_topic, phx_server, shared_server } from './harness.mjs';
import { client_of, present, subscribed, versions } from './realtime_js.mjs';

const server = shared_server(phx_server);

for (const vsn of versions) {
    describe(`presence of realtime-js, version ${vsn}`, () => {
        /** Subscribed, and past the state that it was given. */
        async function member(t, topic, key) {
            const client = client_of(t, server, vsn);
            const config = { presence: { key } };
            const channel = await subscribed(client, topic, { config, presence: true });
            channel.first_state = await channel.seen.skip_to('sync');
            return channel;
        }

        /** alice and bob, both tracked and each aware of the other. */
        async function pair(t) {
            const topic = fresh_topic('lobby');
            const alice = await member(t, topic, 'alice');
            assert.equal(await alice.track({ name: 'Alice' }), 'ok');
            await alice.seen.expect('join', ['alice', [], [{ name: 'Alice' }]]);
            await alice.seen.expect('sync', { alice: [{ name: 'Alice' }] });
            const bob = await member(t, topic, 'bob');
            assert.deepEqual(bob.first_state, { alice: [{ name: 'Alice' }] });
            assert.equal(await bob.track({ name: 'Bob' }), 'ok');
            for (const { seen } of [alice, bob]) {
                await seen.expect('join', ['bob', [], [{ name: 'Bob' }]]);
                await seen.expect('sync', { alice: [{ name: 'Alice' }], bob: [{ name: 'Bob' }] });
            }
            return { topic, alice, bob };
        }

        test('starts with an empty state', async (t) => {
            const channel = await member(t, fresh_topic('lobby'), 'alice');
            assert.deepEqual(channel.first_state, {});
            channel.seen.expect_nothing();
        });

        test('tracks, and sees who is there and who joins', async (t) => {
            const { alice, bob } = await pair(t);
            assert.deepEqual(present(alice), present(bob));
        });

        test('sees a member change its payload', async (t) => {
            const { alice, bob } = await pair(t);
            assert.equal(await alice.track({ name: 'Alice', typing: true }), 'ok');
            const before = { name: 'Alice' };
            const now = { name: 'Alice', typing: true };
            for (const { seen } of [alice, bob]) {
                await seen.expect('join', ['alice', [before], [now]]);
                await seen.expect('leave', ['alice', [now], [before]]);
                await seen.expect('sync', { alice: [now], bob: [{ name: 'Bob' }] });
            }
        });

        test('untracks and stays subscribed', async (t) => {
            const { alice, bob } = await pair(t);
            assert.equal(await bob.untrack(), 'ok');
            for (const { seen } of [alice, bob]) {
                await seen.expect('leave', ['bob', [], [{ name: 'Bob' }]]);
                await seen.expect('sync', { alice: [{ name: 'Alice' }] });
            }
            assert.equal(bob.state, 'joined');
            assert.equal(await bob.track({ name: 'Bob again' }), 'ok');
            await alice.seen.expect('join', ['bob', [], [{ name: 'Bob again' }]]);
        });

        test('sees a member unsubscribe', async (t) => {
            const { alice, bob } = await pair(t);
            assert.equal(await bob.unsubscribe(), 'ok');
            await alice.seen.expect('leave', ['bob', [], [{ name: 'Bob' }]]);
            await alice.seen.expect('sync', { alice: [{ name: 'Alice' }] });
        });

        test('sees a member whose connection breaks', async (t) => {
            const { alice, bob } = await pair(t);
            bob.socket.socketAdapter.getSocket().conn.terminate();
            await alice.seen.expect('leave', ['bob', [], [{ name: 'Bob' }]]);
            await alice.seen.expect('sync', { alice: [{ name: 'Alice' }] });
        });

        test('keeps a key while one of its clients is there', async (t) => {
            const { topic, alice } = await pair(t);
            const phone = await member(t, topic, 'alice');
            assert.deepEqual(phone.first_state, present(alice));
            await phone.track({ name: 'Alice', device: 'phone' });
            const [first, second] = [{ name: 'Alice' }, { name: 'Alice', device: 'phone' }];
            await alice.seen.expect('join', ['alice', [first], [second]]);
            await alice.seen.expect('sync', { alice: [first, second], bob: [{ name: 'Bob' }] });
            await phone.unsubscribe();
            await alice.seen.expect('leave', ['alice', [first], [second]]);
            await alice.seen.expect('sync', { alice: [first], bob: [{ name: 'Bob' }] });
        });

        test('gets a key from the server when it has none', async (t) => {
            const topic = fresh_topic('lobby');
            const named = await member(t, topic, 'alice');
            const unnamed = [await member(t, topic, ''), await member(t, topic, '')];
            const keys = [];
            for (const channel of unnamed) {
                await channel.track({ anonymous: true });
                keys.push((await named.seen.expect('join'))[0]);
                await named.seen.expect('sync');
            }
            assert.ok(keys.every((key) => key.length >= 16), `keys ${keys}`);
            assert.notEqual(keys[0], keys[1]);
        });
    });
}

test('presence of realtime-js is shared between the versions', async (t) => {
    const topic = fresh_topic('lobby');
    const members = [];
    for (const vsn of versions) {
        const key = `v${vsn}`;
        const channel = await subscribed(client_of(t, server, vsn), topic,
            { config: { presence: { key } }, presence: true });
        assert.equal(await channel.track({ vsn }), 'ok');
        members.push(channel);
    }
    const all = JSON.stringify(Object.fromEntries(versions.map((vsn) => [`v${vsn}`, [{ vsn }]])));
    for (const { seen } of members) {
        while (JSON.stringify(await seen.skip_to('sync')) !== all) {
            // The members arrive one after the other.
        }
    }
});
