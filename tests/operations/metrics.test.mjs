// GET /metrics, judged by Prometheus' own promtool.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { eventually, phx_server, shared_server } from '../interop/harness.mjs';
import * as phoenix from '../interop/phoenix_js.mjs';

const server = shared_server(phx_server);
const promtool = execFileSync(fileURLToPath(new URL('promtool', import.meta.url)), { encoding: 'utf8' }).trim();

async function metrics() {
    const answer = await fetch(server.url('/metrics').replace(/^ws/, 'http'));
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
    return answer.text();
}

/** What promtool says; nothing is good. */
function judged(text) {
    const { status, stdout, stderr } = spawnSync(promtool, ['check', 'metrics'], { input: text, encoding: 'utf8' });
    return { status, said: stdout + stderr };
}

/** What promtool lets pass: HELP, TYPE or value of a metric for the second time. */
function repeated(text) {
    const names = text.trimEnd().split('\n').map((line) => /^(# \w+ )?[^ ]+/.exec(line)[0]);
    return names.filter((name, i) => names.indexOf(name) !== i);
}

const limit_hits = (text, limit) =>
    Number(new RegExp(`^phx_limit_hits_total\\{limit="${limit}"\\} (\\d+)$`, 'm').exec(text)?.[1]);
const value = (text, name) => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1]);

test('promtool finds nothing to say about the metrics of a busy server', async (t) => {
    const socket = phoenix.connect(t, server.url('/socket'), '2.0.0');
    const room = await phoenix.joined(socket, 'room:1');
    const before = await metrics();
    for (let i = 0; i < 20; ++i) {
        await phoenix.outcome(room.push('echo', { i }));
    }
    const text = await eventually(async () => {
        const now = await metrics();
        return value(now, 'phx_frames_sent_total') >= value(before, 'phx_frames_sent_total') + 20 && now;
    }, 'all of them in the metrics');
    assert.deepEqual(judged(text), { status: 0, said: '' });
    assert.deepEqual(repeated(text), []);
    assert.equal(value(text, 'phx_connections'), 1);
    assert.equal(value(text, 'phx_channels'), 1);
    assert.equal(value(text, 'phx_frames_received_total'), value(before, 'phx_frames_received_total') + 20);
    assert.equal(value(text, 'phx_frames_malformed_total'), 0);
    assert.equal(limit_hits(text, 'limits.max_channels_per_connection'), 0);
    assert.equal(limit_hits(text, 'endpoints.idle_timeout'), 0);
});

test('it would be said', async () => {
    const text = await metrics();
    assert.deepEqual(repeated(`${text}phx_connections 2\n`), ['phx_connections']);
    assert.notEqual(judged(text.replaceAll('phx_frames_sent_total', 'phx_frames_sent')).said, '');
    assert.notEqual(judged(text.replace(/^# HELP phx_topics.*\n/m, '')).said, '');
});
