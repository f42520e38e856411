// phx-cli with the JavaScript clients: each receives what the other sends.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
    Program, bytes, bytes_of, conformance, fresh_topic, phx_server, shared_server, start,
} from './harness.mjs';
import * as phoenix from './phoenix_js.mjs';
import * as realtime from './realtime_js.mjs';

const supabase_server = shared_server(phx_server);
const phoenix_server = shared_server(conformance);
const versions = realtime.versions;
const binary = [0x00, 0x01, 0xfe, 0xff];

function cli(t, ...args) {
    const program = new Program('PHX_CLI', args);
    t.after(async () => {
        if (program.running) {
            program.kill('SIGKILL');
            await program.exit();
        }
    });
    return program;
}

/** A verb that ends by itself: 0, and this on stdout. */
async function run_cli(t, args, { input, stdout = '' } = {}) {
    const program = cli(t, ...args);
    if (input !== undefined) {
        program.give(input);
    }
    program.end_input();
    await program.expect_exit(0);
    assert.equal(program.stdout, stdout, program.output);
}

/** `phx-cli listen --json` that has joined. */
async function listener(t, url, topic, ...options) {
    const program = cli(t, 'listen', url, topic, '--json', ...options);
    await program.printed(new RegExp(`^phx-cli: joined ${topic}$`, 'm'), 'that it has joined');
    return program;
}

/** The messages it printed before it ended with 0, without their times. */
async function printed_messages(program) {
    await program.expect_exit(0);
    return program.stdout.trimEnd().split('\n').map((line) => {
        const { ts, ...message } = JSON.parse(line);
        assert.match(ts, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
        return message;
    });
}

const broadcast = { event: 'broadcast', ref: null, join_ref: null, status: null };
/** What listen prints for a broadcast with a JSON payload. */
const heard = (topic, event, payload) =>
    ({ ...broadcast, topic, payload: { type: 'broadcast', event, payload } });
const base64 = (values) => Buffer.from(values).toString('base64');

for (const vsn of versions) {
    describe(`phx-cli and realtime-js, version ${vsn}`, () => {
        const client = (t) => realtime.client_of(t, supabase_server, vsn);

        for (const cli_vsn of versions) {
            test(`listen --vsn ${cli_vsn} prints what realtime-js sends`, async (t) => {
                const name = fresh_topic('lobby');
                const topic = `realtime:${name}`;
                const listening = await listener(t, supabase_server.url('/socket'), topic,
                    '--count', '2', '--vsn', cli_vsn);
                const channel = await realtime.subscribed(client(t), name);
                await realtime.shout(channel, 'greeting', { hello: 'světe 🐎' });
                await realtime.shout(channel, 'cursor', { x: 1, y: [2.5, null] });
                assert.deepEqual(await printed_messages(listening), [
                    heard(topic, 'greeting', { hello: 'světe 🐎' }),
                    heard(topic, 'cursor', { x: 1, y: [2.5, null] }),
                ]);
            });

            test(`send --vsn ${cli_vsn} reaches realtime-js`, async (t) => {
                const name = fresh_topic('lobby');
                const channel = await realtime.subscribed(client(t), name, { events: ['*'] });
                const url = supabase_server.url('/socket');
                const payload = { hello: 'světe 🐎', list: [1, null] };
                const send = (...args) =>
                    run_cli(t, ['send', url, `realtime:${name}`, ...args, '--vsn', cli_vsn]);
                await send('greeting', JSON.stringify(payload));
                await realtime.expect_heard(channel, 'greeting', payload);
                await send('again', '{}', '--ack');
                await realtime.expect_heard(channel, 'again', {});
                channel.heard.expect_nothing();
            });
        }

        test('send on the Supabase endpoint takes the short topic', async (t) => {
            const name = fresh_topic('lobby');
            const channel = await realtime.subscribed(client(t), name, { events: ['*'] });
            const url = supabase_server.url('/realtime/v1');
            await run_cli(t, ['send', url, name, 'greeting', '{"n":1}', '--param', 'apikey=any']);
            await realtime.expect_heard(channel, 'greeting', { n: 1 });
        });

        test('presence --track is seen by realtime-js until it is interrupted', async (t) => {
            const name = fresh_topic('lobby');
            const channel = await realtime.subscribed(client(t), name, { presence: true });
            await channel.seen.expect('sync', {});
            const tracking = cli(t, 'presence', supabase_server.url('/socket'), `realtime:${name}`,
                '--track', '{"name":"Carol"}', '--presence-key', 'carol');
            await channel.seen.expect('join', ['carol', [], [{ name: 'Carol' }]]);
            await channel.seen.expect('sync', { carol: [{ name: 'Carol' }] });
            tracking.kill('SIGINT');
            await tracking.expect_exit(130);
            await channel.seen.expect('leave', ['carol', [], [{ name: 'Carol' }]]);
            await channel.seen.expect('sync', {});
        });

        test('presence --watch prints who comes and goes', async (t) => {
            const name = fresh_topic('lobby');
            const channel = await realtime.subscribed(client(t), name,
                { config: { presence: { key: 'alice' } }, presence: true });
            assert.equal(await channel.track({ name: 'Alice' }), 'ok');
            const url = supabase_server.url('/socket');
            const watching = cli(t, 'presence', url, `realtime:${name}`, '--watch');
            await watching.printed(/^join alice \[\{"name":"Alice"\}\]$/m, 'who is there');
            await channel.track({ name: 'Alice', typing: true });
            await watching.printed(/^update alice \[\{"name":"Alice","typing":true\}\]$/m, 'the update');
            await channel.untrack();
            await watching.printed(/^leave alice /m, 'who has left');
            watching.kill('SIGINT');
            await watching.expect_exit(130);
        });
    });

    describe(`phx-cli and phoenix.js, version ${vsn}`, () => {
        const open = (t) => phoenix.connect(t, phoenix_server.url('/socket'), vsn);

        test('listen prints what phoenix.js broadcasts', async (t) => {
            const topic = fresh_topic('room:');
            const listening = await listener(t, phoenix_server.url('/socket'), topic, '--count', '2');
            const channel = await phoenix.joined(open(t), topic);
            channel.push('new_msg', { body: 'hi' });
            channel.push('new_msg', { body: 'again' });
            const message = { ...broadcast, topic, event: 'new_msg' };
            assert.deepEqual(await printed_messages(listening), [
                { ...message, payload: { body: 'hi' } }, { ...message, payload: { body: 'again' } },
            ]);
        });

        test('push reaches phoenix.js', async (t) => {
            const topic = fresh_topic('room:');
            const channel = await phoenix.joined(open(t), topic, { events: ['new_msg'] });
            const url = phoenix_server.url('/socket');
            await run_cli(t, ['push', url, topic, 'new_msg', '{"body":"from the shell"}']);
            await channel.log.expect('new_msg', { body: 'from the shell' });
            await run_cli(t, ['push', url, topic, 'new_msg', '--lines'], { input: '{"n":1}\n{"n":2}\n' });
            await channel.log.expect('new_msg', { n: 1 });
            await channel.log.expect('new_msg', { n: 2 });
            channel.log.expect_nothing();
        });

        test('call prints its reply, and what it broadcasts reaches phoenix.js', async (t) => {
            const topic = fresh_topic('room:');
            const channel = await phoenix.joined(open(t), topic, { events: ['new_msg'] });
            const url = phoenix_server.url('/socket');
            const call = ['call', url, topic, 'new_msg_ack', '{"body":"hi"}', '--raw'];
            await run_cli(t, call, { stdout: '{}\n' });
            await channel.log.expect('new_msg', { body: 'hi' });
        });
    });
}

test('listen prints binary broadcasts of realtime-js as base64', async (t) => {
    const name = fresh_topic('lobby');
    const topic = `realtime:${name}`;
    const listening = await listener(t, supabase_server.url('/socket'), topic, '--count', '2');
    const client = realtime.client_of(t, supabase_server, '2.0.0');
    const channel = await realtime.subscribed(client, name);
    await realtime.shout(channel, 'blob', bytes(...binary));
    await realtime.shout(channel, 'text', { after: true });
    assert.deepEqual(await printed_messages(listening), [
        { ...broadcast, topic, user_event: 'blob', payload_base64: base64(binary) },
        heard(topic, 'text', { after: true }),
    ]);
});

test('listen prints binary broadcasts of phoenix.js as base64', async (t) => {
    const topic = fresh_topic('room:');
    const listening = await listener(t, phoenix_server.url('/socket'), topic, '--count', '1');
    const socket = phoenix.connect(t, phoenix_server.url('/socket'), '2.0.0');
    const channel = await phoenix.joined(socket, topic);
    channel.push('binary_bcast', bytes(...binary));
    assert.deepEqual(await printed_messages(listening), [
        { ...broadcast, topic, event: 'binary_bcast', payload_base64: base64(binary) },
    ]);
});

test('push --binary reaches phoenix.js', async (t) => {
    const topic = fresh_topic('room:');
    const socket = phoenix.connect(t, phoenix_server.url('/socket'), '2.0.0');
    const channel = await phoenix.joined(socket, topic, { events: ['binary_bcast'] });
    const url = phoenix_server.url('/socket');
    await run_cli(t, ['push', url, topic, 'binary_bcast', '--binary', '-'], { input: Buffer.from(binary) });
    assert.deepEqual(bytes_of(await channel.log.expect('binary_bcast')), binary);
});

test('listen survives a restart of the server and prints what realtime-js sends after it', async (t) => {
    const first = await start(phx_server);
    let second;
    t.after(() => first.discard());
    t.after(() => second?.discard());
    const listening = await listener(t, first.url('/socket'), 'realtime:lobby',
        '--count', '2', '--timeout', '60s');
    const channel = await realtime.subscribed(realtime.client_of(t, first, '2.0.0'), 'lobby');
    await realtime.shout(channel, 'n', { n: 1 });
    await listening.printed(/"n":1/, 'the first message');
    await first.stop();
    second = await start(phx_server, first.port);
    await listening.printed(/^phx-cli: joined again realtime:lobby$/m, 'that it has joined again');
    await channel.statuses.skip_to('SUBSCRIBED');
    await realtime.shout(channel, 'n', { n: 2 });
    const messages = await printed_messages(listening);
    assert.deepEqual(messages.map(({ payload }) => payload.payload), [{ n: 1 }, { n: 2 }]);
    await second.stop();
});
