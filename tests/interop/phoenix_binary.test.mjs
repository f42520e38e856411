// phoenix.js with binary payloads: push, reply, server push and broadcast of version 2.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytes, bytes_of, conformance, fresh_topic, shared_server } from './harness.mjs';
import { connect, joined, outcome } from './phoenix_js.mjs';

const server = shared_server(conformance);
const payload = [0x00, 0x01, 0xfe, 0xff];

const open = (t, vsn = '2.0.0') => connect(t, server.url('/socket'), vsn);
const member = (t, topic, vsn) =>
    joined(open(t, vsn), topic, { events: ['binary_bcast', 'binary_push', 'new_msg'] });

test('a binary push gets a binary reply', async (t) => {
    const channel = await member(t, fresh_topic('room:'));
    const [status, response] = await outcome(channel.push('binary', bytes(...payload)));
    assert.equal(status, 'ok');
    assert.deepEqual(bytes_of(response), payload);
});

test('a binary push gets a binary error', async (t) => {
    const channel = await member(t, fresh_topic('room:'));
    const [status, response] = await outcome(channel.push('binary_fail', bytes(...payload)));
    assert.equal(status, 'error');
    assert.deepEqual(bytes_of(response), payload);
});

test('an empty binary push gets an empty binary reply', async (t) => {
    const channel = await member(t, fresh_topic('room:'));
    const [status, response] = await outcome(channel.push('binary', bytes()));
    assert.equal(status, 'ok');
    assert.deepEqual(bytes_of(response), []);
});

test('a binary push of 1 MiB comes back whole', async (t) => {
    const channel = await member(t, fresh_topic('room:'));
    const large = Uint8Array.from({ length: 1024 * 1024 }, (_, i) => (i * 31) % 256);
    const [status, response] = await outcome(channel.push('binary', large.buffer));
    assert.equal(status, 'ok');
    assert.ok(Buffer.from(response).equals(Buffer.from(large.buffer)));
});

test('the server pushes binary', async (t) => {
    const channel = await member(t, fresh_topic('room:'));
    channel.push('binary_push', bytes(...payload));
    assert.deepEqual(bytes_of(await channel.log.expect('binary_push')), payload);
});

test('a binary broadcast reaches the sender and another client', async (t) => {
    const topic = fresh_topic('room:');
    const a = await member(t, topic);
    const b = await member(t, topic);
    a.push('binary_bcast', bytes(...payload));
    assert.deepEqual(bytes_of(await a.log.expect('binary_bcast')), payload);
    assert.deepEqual(bytes_of(await b.log.expect('binary_bcast')), payload);
});

test('topics and events of 255 bytes fit a binary frame', async (t) => {
    const topic = fresh_topic('room:').padEnd(255, 'x');
    const channel = await member(t, topic);
    const [status, response] = await outcome(channel.push('binary', bytes(...payload)));
    assert.equal(status, 'ok');
    assert.deepEqual(bytes_of(response), payload);
});

test('a binary broadcast passes over a member of version 1', async (t) => {
    const topic = fresh_topic('room:');
    const old = await member(t, topic, '1.0.0');
    const a = await member(t, topic);
    const b = await member(t, topic);
    a.push('binary_bcast', bytes(...payload));
    assert.deepEqual(bytes_of(await b.log.expect('binary_bcast')), payload);
    assert.deepEqual(bytes_of(await a.log.expect('binary_bcast')), payload);
    a.push('new_msg', { body: 'for all' });
    for (const channel of [old, a, b]) {
        await channel.log.expect('new_msg', { body: 'for all' });
    }
});
