// realtime-js against phx-server: broadcasts.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bytes, bytes_of, every_kind_of_json, fresh_topic, phx_server, shared_server } from './harness.mjs';
import { client_of, expect_heard, shout, subscribed, versions } from './realtime_js.mjs';

const server = shared_server(phx_server);

for (const vsn of versions) {
    describe(`realtime-js, version ${vsn}`, () => {
        const member = (t, topic, options) => subscribed(client_of(t, server, vsn), topic, options);

        test('broadcasts to another client, not to itself', async (t) => {
            const topic = fresh_topic('lobby');
            const a = await member(t, topic, { events: ['shout'] });
            const b = await member(t, topic, { events: ['shout'] });
            assert.equal(await shout(a, 'shout', { body: 'hi' }), 'ok');
            await expect_heard(b, 'shout', { body: 'hi' });
            assert.equal(await shout(b, 'shout', { body: 'back' }), 'ok');
            await expect_heard(a, 'shout', { body: 'back' });
            a.heard.expect_nothing();
        });

        test('broadcasts to itself when it asked for it', async (t) => {
            const channel = await member(t, fresh_topic('lobby'), {
                config: { broadcast: { self: true } }, events: ['shout'],
            });
            assert.equal(await shout(channel, 'shout', { body: 'echo' }), 'ok');
            await expect_heard(channel, 'shout', { body: 'echo' });
        });

        test('gets its broadcasts acknowledged, after its own copy', async (t) => {
            const channel = await member(t, fresh_topic('lobby'), {
                config: { broadcast: { self: true, ack: true } }, events: ['shout'],
            });
            for (let n = 0; n < 10; n += 1) {
                // With ack, send() answers 'ok' only for a reply of the server.
                assert.equal(await shout(channel, 'shout', { n }), 'ok');
                await expect_heard(channel, 'shout', { n });
            }
            channel.heard.expect_nothing();
        });

        test('hears only the events that it listens to, or all', async (t) => {
            const topic = fresh_topic('lobby');
            const some = await member(t, topic, { events: ['one'] });
            const all = await member(t, topic, { events: ['*'] });
            const sender = await member(t, topic);
            await shout(sender, 'two', { n: 2 });
            await shout(sender, 'one', { n: 1 });
            await expect_heard(some, 'one', { n: 1 });
            await expect_heard(all, 'two', { n: 2 });
            await expect_heard(all, 'one', { n: 1 });
            some.heard.expect_nothing();
        });

        test('keeps every kind of JSON payload', async (t) => {
            const topic = fresh_topic('lobby');
            const a = await member(t, topic);
            const b = await member(t, topic, { events: ['*'] });
            await shout(a, 'událost 🐎', every_kind_of_json);
            await expect_heard(b, 'událost 🐎', every_kind_of_json);
            await shout(a, 'large', { body: 'x'.repeat(1024 * 1024) });
            await expect_heard(b, 'large', { body: 'x'.repeat(1024 * 1024) });
        });

        test('keeps the order of a burst', async (t) => {
            const topic = fresh_topic('lobby');
            const a = await member(t, topic);
            const b = await member(t, topic, { events: ['tick'] });
            for (let n = 0; n < 500; n += 1) {
                shout(a, 'tick', { n });
            }
            for (let n = 0; n < 500; n += 1) {
                await expect_heard(b, 'tick', { n });
            }
        });

        test('uses two topics on one connection', async (t) => {
            const client = client_of(t, server, vsn);
            const names = [fresh_topic('lobby'), fresh_topic('lobby')];
            const listeners = [];
            for (const topic of names) {
                listeners.push(await subscribed(client, topic, { events: ['*'] }));
            }
            const other = client_of(t, server, vsn);
            for (const topic of names) {
                await shout(await subscribed(other, topic), 'for', { topic });
            }
            for (const [i, listener] of listeners.entries()) {
                await expect_heard(listener, 'for', { topic: names[i] });
                listener.heard.expect_nothing();
            }
        });
    });
}

test('realtime-js sends binary payloads to others and to itself', async (t) => {
    const topic = fresh_topic('lobby');
    const config = { broadcast: { self: true, ack: true } };
    const a = await subscribed(client_of(t, server, '2.0.0'), topic, { config, events: ['blob'] });
    const b = await subscribed(client_of(t, server, '2.0.0'), topic, { events: ['blob'] });
    for (const payload of [[0x00, 0x01, 0xfe, 0xff], [], [0x7b, 0x7d]]) {
        assert.equal(await shout(a, 'blob', bytes(...payload)), 'ok');
        for (const channel of [a, b]) {
            const { payload: got, ...rest } = await channel.heard.expect('blob');
            assert.deepEqual(rest, { type: 'broadcast', event: 'blob' });
            assert.deepEqual(bytes_of(got), payload);
        }
    }
});

test('realtime-js of both versions share a topic; binary passes over version 1', async (t) => {
    const topic = fresh_topic('lobby');
    const members = [];
    for (const vsn of versions) {
        members.push(await subscribed(client_of(t, server, vsn), topic, {
            config: { broadcast: { self: true } }, events: ['*'],
        }));
    }
    const [old, current] = members;
    await shout(current, 'blob', bytes(1, 2, 3));
    assert.deepEqual(bytes_of((await current.heard.expect('blob')).payload), [1, 2, 3]);
    for (const [from, sender] of members.entries()) {
        await shout(sender, 'text', { from });
        await expect_heard(old, 'text', { from });
        await expect_heard(current, 'text', { from });
    }
    for (const { heard, state } of members) {
        heard.expect_nothing();
        assert.equal(state, 'joined');
    }
});
