// phoenix.js' Presence between clients.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Presence } from 'phoenix';
import { Log, conformance, fresh_topic, shared_server } from './harness.mjs';
import { connect, join, outcome, versions } from './phoenix_js.mjs';

const server = shared_server(conformance);

/** [[key, [meta without its refs, ...]], ...] of what Presence.list gives. */
function listed(presence) {
    return presence.list((key, { metas }) => [key, metas.map(plain)]).sort();
}

function plain({ phx_ref, phx_ref_prev, ...meta }) {
    assert.match(phx_ref, /^[\w-]{16}$/);
    return meta;
}

const online = { online_at: 1700000000 };

for (const vsn of versions) {
    describe(`Presence of phoenix.js, version ${vsn}`, () => {
        /** A member that tracks itself under `key`; its presence events are in `seen`. */
        async function member(t, topic, key, meta) {
            const socket = connect(t, server.url('/socket'), vsn);
            const seen = new Log(key);
            const channel = socket.channel(topic, meta ? { presence: key, meta } : { presence: key });
            const presence = new Presence(channel);
            presence.onJoin((id, current, joins) =>
                seen.add('join', [id, current?.metas.map(plain) ?? [], joins.metas.map(plain)]));
            presence.onLeave((id, current, left) =>
                seen.add('leave', [id, current.metas.map(plain), left.metas.map(plain)]));
            presence.onSync(() => seen.add('sync', listed(presence)));
            assert.equal((await outcome(channel.join()))[0], 'ok');
            return { channel, seen, socket };
        }

        /** alice and bob, each aware of the other. */
        async function pair(t) {
            const topic = fresh_topic('room:');
            const alice = await member(t, topic, 'alice', { device: 'a1' });
            await alice.seen.expect('sync', []);
            await alice.seen.expect('join', ['alice', [], [{ ...online, device: 'a1' }]]);
            await alice.seen.expect('sync', [['alice', [{ ...online, device: 'a1' }]]]);
            const bob = await member(t, topic, 'bob');
            return { topic, alice, bob };
        }

        const both = [['alice', [{ ...online, device: 'a1' }]], ['bob', [online]]];

        async function settle({ alice, bob }) {
            await alice.seen.expect('join', ['bob', [], [online]]);
            await alice.seen.expect('sync', both);
            await bob.seen.expect('join', ['alice', [], [{ ...online, device: 'a1' }]]);
            await bob.seen.expect('sync', both.slice(0, 1));
            await bob.seen.expect('join', ['bob', [], [online]]);
            await bob.seen.expect('sync', both);
        }

        test('gets the state, then the joins of itself and of others', async (t) => {
            await settle(await pair(t));
        });

        test('sees a member leave its channel', async (t) => {
            const { alice, bob } = await pair(t);
            await settle({ alice, bob });
            await outcome(bob.channel.leave());
            await alice.seen.expect('leave', ['bob', [], [online]]);
            await alice.seen.expect('sync', both.slice(0, 1));
            alice.seen.expect_nothing();
        });

        test('sees a member disconnect', async (t) => {
            const { alice, bob } = await pair(t);
            await settle({ alice, bob });
            bob.socket.disconnect();
            await alice.seen.expect('leave', ['bob', [], [online]]);
            await alice.seen.expect('sync', both.slice(0, 1));
        });

        test('sees a member whose connection breaks', async (t) => {
            const { alice, bob } = await pair(t);
            await settle({ alice, bob });
            bob.socket.conn.terminate();
            await alice.seen.expect('leave', ['bob', [], [online]]);
            await alice.seen.expect('sync', both.slice(0, 1));
            // phoenix.js reconnects by itself and is there again.
            await alice.seen.expect('join', ['bob', [], [online]]);
            await alice.seen.expect('sync', both);
        });

        test('sees an update as one join and one leave', async (t) => {
            const { alice, bob } = await pair(t);
            await settle({ alice, bob });
            const meta = { device: 'a1', typing: true };
            const [status] = await outcome(alice.channel.push('presence_update', { key: 'alice', meta }));
            assert.equal(status, 'ok');
            const before_and_after = [{ ...online, device: 'a1' }, meta];
            for (const { seen } of [alice, bob]) {
                await seen.expect('join', ['alice', before_and_after.slice(0, 1), [meta]]);
                await seen.expect('leave', ['alice', [meta], before_and_after.slice(0, 1)]);
                await seen.expect('sync', [['alice', [meta]], ['bob', [online]]]);
                seen.expect_nothing();
            }
        });

        test('keeps one key while one of its two clients is there', async (t) => {
            const { topic, alice, bob } = await pair(t);
            await settle({ alice, bob });
            const phone = await member(t, topic, 'alice', { device: 'a2' });
            const [first, second] = ['a1', 'a2'].map((device) => ({ ...online, device }));
            await bob.seen.expect('join', ['alice', [first], [second]]);
            await bob.seen.expect('sync', [['alice', [first, second]], ['bob', [online]]]);
            await outcome(phone.channel.leave());
            await bob.seen.expect('leave', ['alice', [first], [second]]);
            await bob.seen.expect('sync', both);
        });

        test('sees a member untrack and stay joined', async (t) => {
            const { alice, bob } = await pair(t);
            await settle({ alice, bob });
            const [status] = await outcome(bob.channel.push('presence_untrack', { key: 'bob' }));
            assert.equal(status, 'ok');
            await alice.seen.expect('leave', ['bob', [], [online]]);
            await alice.seen.expect('sync', both.slice(0, 1));
            assert.deepEqual(await outcome(bob.channel.push('echo', { here: true })), ['ok', { here: true }]);
        });
    });
}

test('Presence of phoenix.js is shared between the versions', async (t) => {
    const topic = fresh_topic('room:');
    const lists = [];
    for (const vsn of versions) {
        const params = { presence: `v${vsn}` };
        const channel = join(connect(t, server.url('/socket'), vsn), topic, { params });
        const presence = new Presence(channel);
        const seen = new Log(vsn);
        presence.onSync(() => seen.add('sync', listed(presence)));
        await channel.log.expect('join ok');
        lists.push(seen);
    }
    const all = JSON.stringify(versions.map((vsn) => [`v${vsn}`, [online]]));
    for (const seen of lists) {
        while (JSON.stringify(await seen.expect('sync')) !== all) {
            // The members arrive one after the other.
        }
    }
});
