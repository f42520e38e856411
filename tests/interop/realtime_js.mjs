// @supabase/realtime-js 2.119.0 as the suites use it, over both versions.
import assert from 'node:assert/strict';
import { RealtimeClient } from '@supabase/realtime-js';
import { WebSocket } from 'ws';
import { Log, within } from './harness.mjs';
import { token_named } from './tokens.mjs';

export const versions = ['1.0.0', '2.0.0'];

/** A client that connects with its first channel; disconnected after the test. */
export function client_of(t, server, vsn, options = {}) {
    const client = new RealtimeClient(server.url('/realtime/v1'), {
        params: { apikey: token_named('any-key') },
        transport: WebSocket,
        vsn,
        reconnectAfterMs: () => 20,
        ...options,
    });
    t.after(() => within(client.disconnect(), 'disconnect'));
    return client;
}

/**
 * A channel under way. Its statuses go to `channel.statuses`, broadcasts of the named events to
 * `channel.heard`, presence events to `channel.seen`.
 */
export function subscribe(client, topic, { config = {}, events = [], presence = false } = {}) {
    const channel = client.channel(topic, { config });
    channel.statuses = new Log(`${topic} statuses`);
    channel.heard = new Log(`${topic} broadcasts`);
    channel.seen = new Log(`${topic} presence`);
    for (const event of events) {
        channel.on('broadcast', { event }, (message) => channel.heard.add(message.event, message));
    }
    if (presence) {
        channel.on('presence', { event: 'sync' }, () => channel.seen.add('sync', present(channel)));
        channel.on('presence', { event: 'join' }, ({ key, currentPresences, newPresences }) =>
            channel.seen.add('join', [key, currentPresences.map(plain), newPresences.map(plain)]));
        channel.on('presence', { event: 'leave' }, ({ key, currentPresences, leftPresences }) =>
            channel.seen.add('leave', [key, currentPresences.map(plain), leftPresences.map(plain)]));
    }
    channel.subscribe((status, error) => channel.statuses.add(status, error?.message));
    return channel;
}

export async function subscribed(client, topic, options) {
    const channel = subscribe(client, topic, options);
    await channel.statuses.expect('SUBSCRIBED');
    return channel;
}

export function shout(channel, event, payload) {
    return within(channel.send({ type: 'broadcast', event, payload }), `the end of send ${event}`);
}

/** The next broadcast is this one, and carries nothing else. */
export async function expect_heard(channel, event, payload) {
    await channel.heard.expect(event, { type: 'broadcast', event, payload });
}

/** {key: [payload without its ref, ...]}, keys sorted. */
export function present(channel) {
    return plain_state(channel.presenceState());
}

export function plain_state(state) {
    const entries = Object.entries(state).map(([key, metas]) => [key, metas.map(plain)]);
    return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** A meta without its ref. */
export function plain({ presence_ref, ...payload }) {
    assert.match(presence_ref, /^[\w-]{16}$/);
    return payload;
}
