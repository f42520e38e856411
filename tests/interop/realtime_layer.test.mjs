// Our layer for Supabase and realtime-js together on one phx-server, each in both versions of the protocol.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
    bytes, bytes_of, every_kind_of_json, fresh_topic, phx_server, realtime_server, shared_server, start,
} from './harness.mjs';
import * as theirs from './realtime_js.mjs';
import * as ours from './realtime_peer.mjs';
import { token_named } from './tokens.mjs';

const { expect_heard, shout, versions } = theirs;
const server = shared_server(phx_server);
const guarded_server = shared_server(realtime_server);

/** Who is present, as this member sees it. */
const present = async (channel) => (channel.present ? channel.present() : theirs.present(channel));

async function expect_bytes(channel, event, payload) {
    const { payload: got, ...rest } = await channel.heard.expect(event);
    assert.deepEqual(rest, { type: 'broadcast', event });
    assert.deepEqual(bytes_of(got), payload);
}

for (const our_vsn of versions) {
    for (const their_vsn of versions) {
        const vsn_of = new Map([[ours, our_vsn], [theirs, their_vsn]]);
        const name_of = new Map([[ours, 'phx'], [theirs, 'realtime-js']]);
        const member = (t, side, topic, options, on = server) =>
            side.subscribed(side.client_of(t, on, vsn_of.get(side)), topic, options);
        const both = async (t, topic, options) =>
            [await member(t, ours, topic, options), await member(t, theirs, topic, options)];

        describe(`phx in version ${our_vsn} and realtime-js in ${their_vsn}`, () => {
            for (const [from, to] of [[ours, theirs], [theirs, ours]]) {
                const direction = `${name_of.get(from)} to ${name_of.get(to)}`;

                test(`broadcasts, ${direction}`, async (t) => {
                    const topic = fresh_topic('lobby');
                    const sender = await member(t, from, topic, { events: ['*'] });
                    const receiver = await member(t, to, topic, { events: ['*'] });
                    assert.equal(await shout(sender, 'shout', { n: 1 }), 'ok');
                    assert.equal(await shout(sender, 'událost 🐎', every_kind_of_json), 'ok');
                    assert.equal(await shout(sender, 'empty', {}), 'ok');
                    await expect_heard(receiver, 'shout', { n: 1 });
                    await expect_heard(receiver, 'událost 🐎', every_kind_of_json);
                    await expect_heard(receiver, 'empty', {});
                    sender.heard.expect_nothing();
                    receiver.heard.expect_nothing();
                });

                test(`broadcasts with self and ack, ${direction}`, async (t) => {
                    const topic = fresh_topic('lobby');
                    const config = { broadcast: { self: true, ack: true } };
                    const sender = await member(t, from, topic, { config, events: ['*'] });
                    const receiver = await member(t, to, topic, { events: ['*'] });
                    for (let n = 0; n < 10; n += 1) {
                        assert.equal(await shout(sender, 'counted', { n }), 'ok');
                        await expect_heard(sender, 'counted', { n });
                        await expect_heard(receiver, 'counted', { n });
                    }
                    sender.heard.expect_nothing();
                    receiver.heard.expect_nothing();
                });

                test(`hears one event alone, whatever its case, ${direction}`, async (t) => {
                    const topic = fresh_topic('lobby');
                    const sender = await member(t, from, topic);
                    const receiver = await member(t, to, topic, { events: ['Wanted'] });
                    await shout(sender, 'other', { n: 1 });
                    await shout(sender, 'wANTED', { n: 2 });
                    await expect_heard(receiver, 'wANTED', { n: 2 });
                    receiver.heard.expect_nothing();
                });

                test(`presence of ${name_of.get(from)} is seen by ${name_of.get(to)}`, async (t) => {
                    const topic = fresh_topic('lobby');
                    const watching = { config: { presence: { key: 'bob' } }, presence: true };
                    const bob = await member(t, to, topic, watching);
                    await bob.seen.expect('sync', {});
                    const tracking = { config: { presence: { key: 'alice' } }, presence: true };
                    const alice = await member(t, from, topic, tracking);
                    await alice.seen.expect('sync', {});

                    const [first, second] = [{ name: 'Alice' }, { name: 'Alice', typing: true }];
                    assert.equal(await alice.track(first), 'ok');
                    for (const { seen } of [alice, bob]) {
                        await seen.expect('join', ['alice', [], [first]]);
                        await seen.expect('sync', { alice: [first] });
                    }
                    assert.equal(await alice.track(second), 'ok');
                    for (const { seen } of [alice, bob]) {
                        await seen.expect('join', ['alice', [first], [second]]);
                        await seen.expect('leave', ['alice', [second], [first]]);
                        await seen.expect('sync', { alice: [second] });
                    }
                    assert.deepEqual(await present(alice), { alice: [second] });
                    assert.deepEqual(await present(bob), await present(alice));

                    assert.equal(await alice.untrack(), 'ok');
                    for (const { seen } of [alice, bob]) {
                        await seen.expect('leave', ['alice', [], [second]]);
                        await seen.expect('sync', {});
                    }
                    assert.equal(await alice.track(first), 'ok');
                    await bob.seen.expect('join', ['alice', [], [first]]);
                    await bob.seen.expect('sync', { alice: [first] });
                    assert.equal(await alice.unsubscribe(), 'ok');
                    await bob.seen.expect('leave', ['alice', [], [first]]);
                    await bob.seen.expect('sync', {});
                    bob.seen.expect_nothing();
                });

                test(`${name_of.get(to)} leaves what ${name_of.get(from)} goes on with`, async (t) => {
                    const topic = fresh_topic('lobby');
                    const config = { broadcast: { ack: true } };
                    const staying = await member(t, from, topic, { config, events: ['*'] });
                    const client = to.client_of(t, server, vsn_of.get(to));
                    const leaving = await to.subscribed(client, topic, { events: ['*'] });
                    assert.equal(await leaving.unsubscribe(), 'ok');
                    await leaving.statuses.expect('CLOSED', undefined);
                    assert.equal(await shout(staying, 'late', {}), 'ok');
                    // The server has handled "late" before this join, and answers in order.
                    const next = await to.subscribed(client, fresh_topic('lobby'), { config });
                    assert.equal(await shout(next, 'fence', {}), 'ok');
                    leaving.heard.expect_nothing();
                    leaving.statuses.expect_nothing();
                    staying.statuses.expect_nothing();
                });
            }

            test('both are present, and see the same', async (t) => {
                const topic = fresh_topic('lobby');
                const everybody = { a: [{ side: 'ours' }], b: [{ side: 'theirs' }] };
                const of = (key) => ({ config: { presence: { key } }, presence: true });
                const a = await member(t, ours, topic, of('a'));
                assert.equal(await a.track({ side: 'ours' }), 'ok');
                const b = await member(t, theirs, topic, of('b'));
                assert.equal(await b.track({ side: 'theirs' }), 'ok');
                for (const { seen } of [a, b]) {
                    while (Object.keys(await seen.skip_to('sync')).length < 2) {
                        // They arrive one after the other.
                    }
                }
                assert.deepEqual(await present(a), everybody);
                assert.deepEqual(await present(b), everybody);
            });

            test('a new token reaches the server, and both stay subscribed', async (t) => {
                const topic = fresh_topic('tokens');
                const [first, second, third] = [1, 2, 3].map((n) => token_named(`token-${n}`));
                for (const side of [ours, theirs]) {
                    const client = side.client_of(t, guarded_server, vsn_of.get(side));
                    await client.setAuth(first);
                    const channel = await side.subscribed(client, topic, { events: ['*'] });
                    await expect_heard(channel, 'joined', { token: first });
                    await client.setAuth(second);
                    await expect_heard(channel, 'refreshed', { token: second });
                    await client.setAuth(second);   // known to the server: not sent again
                    await client.setAuth(third);
                    await expect_heard(channel, 'refreshed', { token: third });
                    channel.heard.expect_nothing();
                    channel.statuses.expect_nothing();
                }
            });

            test('phx-server takes new tokens of both while they talk', async (t) => {
                const topic = fresh_topic('lobby');
                const members = [];
                for (const side of [ours, theirs]) {
                    const client = side.client_of(t, server, vsn_of.get(side));
                    const options = { config: { broadcast: { ack: true } }, events: ['*'] };
                    members.push([client, await side.subscribed(client, topic, options)]);
                }
                for (const [i, [client, channel]] of members.entries()) {
                    await client.setAuth(token_named('first-token'));
                    await client.setAuth(token_named('second-token'));
                    assert.equal(await shout(channel, 'with a new token', { i }), 'ok');
                    await expect_heard(members[1 - i][1], 'with a new token', { i });
                }
                for (const [, channel] of members) {
                    channel.statuses.expect_nothing();
                }
            });

            test('both are refused a private channel with the reason', async (t) => {
                const topic = fresh_topic('secret');
                const refusal =
                    `Unauthorized: You do not have permissions to read from this Channel topic: ${topic}`;
                const options = { config: { private: true } };
                const channels = [ours, theirs].map((side) =>
                    side.subscribe(side.client_of(t, guarded_server, vsn_of.get(side)), topic, options));
                for (const { statuses } of channels) {
                    await statuses.expect('CHANNEL_ERROR', refusal);
                }
                const [our] = channels;
                // realtime-js asks for ever; without a provider of tokens we do not.
                await our.statuses.expect('CLOSED', refusal);
                for (const error of [our.error, await our.subscribing]) {
                    assert.equal(error.unauthorized, true, JSON.stringify(error));
                }
                await both(t, topic, {});   // the public channel of the same name
            });

            test('both come back after the server has died, and hear each other', async (t) => {
                const first = await start(phx_server);
                let second;
                t.after(() => first.discard());
                t.after(() => second?.discard());
                const of = (key) => ({ config: { presence: { key } }, events: ['*'], presence: true });
                const a = await member(t, ours, 'lobby', of('a'), first);
                const b = await member(t, theirs, 'lobby', of('b'), first);
                assert.equal(await a.track({ n: 1 }), 'ok');
                while (!(await b.seen.skip_to('sync')).a) {
                    // Its first state may come before.
                }
                await first.crash();
                for (const { statuses } of [a, b]) {
                    await statuses.expect('CHANNEL_ERROR');
                }
                second = await start(phx_server, first.port);
                for (const { statuses } of [a, b]) {
                    await statuses.skip_to('SUBSCRIBED');
                }
                await a.gaps.expect('gap');
                const late = await member(t, theirs, 'lobby', of('c'), second);
                while (!(await late.seen.skip_to('sync')).a) {
                    // What we track is tracked again, soon.
                }
                await shout(a, 'back', { n: 1 });
                await expect_heard(b, 'back', { n: 1 });
                await shout(b, 'back', { n: 2 });
                await expect_heard(a, 'back', { n: 2 });
                await second.stop();
            });
        });
    }
}

for (const [from, to] of [[ours, theirs], [theirs, ours]]) {
    const name = from === ours ? 'phx to realtime-js' : 'realtime-js to phx';
    test(`binary broadcasts, ${name}, with and without self and ack`, async (t) => {
        const topic = fresh_topic('lobby');
        const config = { broadcast: { self: true, ack: true } };
        const echoed = await from.subscribed(from.client_of(t, server, '2.0.0'), topic,
            { config, events: ['*'] });
        const plain = await from.subscribed(from.client_of(t, server, '2.0.0'), topic);
        const receiver = await to.subscribed(to.client_of(t, server, '2.0.0'), topic, { events: ['*'] });
        const large = Array.from({ length: 70_000 }, (_, i) => i % 251);
        for (const sender of [echoed, plain]) {
            for (const payload of [[0x00, 0x01, 0xfe, 0xff], [], [0x7b, 0x7d], large]) {
                assert.equal(await shout(sender, 'blob', bytes(...payload)), 'ok');
                await expect_bytes(receiver, 'blob', payload);
                await expect_bytes(echoed, 'blob', payload);
            }
        }
        receiver.heard.expect_nothing();
    });

    test(`binary broadcasts pass over version 1, ${name}`, async (t) => {
        const topic = fresh_topic('lobby');
        const sender = await from.subscribed(from.client_of(t, server, '2.0.0'), topic);
        const old = await to.subscribed(to.client_of(t, server, '1.0.0'), topic, { events: ['*'] });
        const current = await to.subscribed(to.client_of(t, server, '2.0.0'), topic, { events: ['*'] });
        await shout(sender, 'blob', bytes(1, 2, 3));
        await shout(sender, 'text', { after: true });
        await expect_bytes(current, 'blob', [1, 2, 3]);
        await expect_heard(current, 'text', { after: true });
        await expect_heard(old, 'text', { after: true });
        old.heard.expect_nothing();
    });
}

test('phx says that version 1 has no binary broadcasts, and stays subscribed', async (t) => {
    const topic = fresh_topic('lobby');
    const listener = await theirs.subscribed(theirs.client_of(t, server, '2.0.0'), topic, { events: ['*'] });
    const channel = await ours.subscribed(ours.client_of(t, server, '1.0.0'), topic);
    const error = await shout(channel, 'blob', bytes(1, 2, 3));
    assert.match(error.message, /version 1/);
    assert.equal(await shout(channel, 'text', { after: true }), 'ok');
    await expect_heard(listener, 'text', { after: true });
    channel.statuses.expect_nothing();
});
