// Private channels and what ends them: realtime-js, our layer beside it, and phoenix.js, on a phx-server
// whose configuration has policies.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fresh_topic, phx_server, shared_server } from './harness.mjs';
import * as phoenix from './phoenix_js.mjs';
import * as theirs from './realtime_js.mjs';
import * as ours from './realtime_peer.mjs';
import { config_args, expiring_token, key_args, member_token } from './tokens.mjs';

const { expect_heard, shout, versions } = theirs;
const members = { roles: ['authenticated'] };
const server = shared_server({
    ...phx_server,
    args: [...key_args(), ...config_args({
        policies: [
            { topic: 'realtime:room*', join: members, write: members, presence: members },
            { topic: 'realtime:news*', join: members, write: { roles: ['editor'] } },
            { topic: 'realtime:user:{sub}', join: {}, write: {} },
            { topic: 'vip:*', join: { roles: ['vip'] }, write: { permissions: ['talk'] } },
        ],
    })],
});

const no_right = (topic) =>
    `Unauthorized: You do not have permissions to read from this Channel topic: ${topic}`;
const client = (t, side, vsn, claims) =>
    side.client_of(t, server, vsn, { params: { apikey: member_token(claims) } });
const closed = (config = {}) => ({ config: { ...config, private: true }, events: ['*'] });
const with_ack = { broadcast: { ack: true } };

for (const [name, side] of [['realtime-js', theirs], ['phx', ours]]) {
    for (const vsn of versions) {
        describe(`private channels of ${name}, version ${vsn}`, () => {
            test('let in and let talk whom a policy names', async (t) => {
                const topic = fresh_topic('room');
                const alice = await side.subscribed(client(t, side, vsn), topic, closed(with_ack));
                const bob = await theirs.subscribed(client(t, theirs, '2.0.0'), topic, closed());
                const outside = await theirs.subscribed(client(t, theirs, '2.0.0'), topic, { events: ['*'] });
                assert.equal(await shout(alice, 'hello', { n: 1 }), 'ok');
                await expect_heard(bob, 'hello', { n: 1 });
                await shout(bob, 'hello', { n: 2 });
                await expect_heard(alice, 'hello', { n: 2 });
                outside.heard.expect_nothing();   // the public channel of that name is another
            });

            test('keep out who has not the role, at once, and nobody else', async (t) => {
                const one = client(t, side, vsn, { role: 'anon' });
                const topic = fresh_topic('room');
                const refused = side.subscribe(one, topic, closed());
                const open = side.subscribe(one, fresh_topic('lobby'), { config: with_ack });
                const began = Date.now();
                await open.statuses.expect('SUBSCRIBED', undefined);
                assert.equal(await shout(open, 'here', {}), 'ok');
                await refused.statuses.expect('CHANNEL_ERROR', no_right(topic));
                // Supabase keeps the whole connection waiting for five seconds.
                assert.ok(Date.now() - began < 4000, `it took ${Date.now() - began} ms`);
            });

            test('without a policy are closed to everybody', async (t) => {
                const topic = fresh_topic('nowhere');
                const channel = side.subscribe(client(t, side, vsn), topic, closed());
                await channel.statuses.expect('CHANNEL_ERROR', no_right(topic));
            });

            test('let only those write who may', async (t) => {
                const topic = fresh_topic('news');
                const one = client(t, side, vsn);
                const reader = await side.subscribed(one, topic, closed());
                const editor = await side.subscribed(
                    client(t, side, vsn, { roles: ['editor'] }), topic, closed(with_ack));
                await shout(reader, 'rumour', {});
                // On one connection the server answers in order: it has looked at the rumour after this.
                const fence = await side.subscribed(one, fresh_topic('room'), closed(with_ack));
                assert.equal(await shout(fence, 'fence', {}), 'ok');
                assert.equal(await shout(editor, 'fact', { n: 1 }), 'ok');
                await expect_heard(reader, 'fact', { n: 1 });
                editor.heard.expect_nothing();
            });

            test('of a user are that user\'s alone', async (t) => {
                const own = client(t, side, vsn, { sub: 'u1' });
                await side.subscribed(own, 'user:u1', closed());
                const other = side.subscribe(own, 'user:u2', closed());
                await other.statuses.expect('CHANNEL_ERROR', no_right('user:u2'));
            });

            test('end with their token, but not for who has brought a new one', async (t) => {
                const topic = fresh_topic('room');
                const [left, stays] = [client(t, side, vsn), client(t, side, vsn)];
                const soon = expiring_token(3, { sub: 'u1' });
                await left.setAuth(soon);
                await stays.setAuth(soon);
                const ended = await side.subscribed(left, topic, closed());
                const refreshed = await side.subscribed(stays, topic, closed(with_ack));
                await stays.setAuth(member_token({ sub: 'u1' }));
                const [status] = await ended.statuses.next('the end of the token');
                assert.equal(status, side === theirs ? 'CLOSED' : 'CHANNEL_ERROR');
                assert.equal(await shout(refreshed, 'still here', {}), 'ok');
                refreshed.statuses.expect_nothing();
            });

            test('are not joined with a token that has expired', async (t) => {
                const one = client(t, side, vsn);
                await one.setAuth(member_token({ exp: 1 }));
                const channel = side.subscribe(one, fresh_topic('room'), closed());
                const reason = await channel.statuses.expect('CHANNEL_ERROR');
                assert.match(reason, /^InvalidJWTToken: Token has expired \d+ seconds ago$/);
            });
        });
    }
}

for (const vsn of phoenix.versions) {
    describe(`phoenix.js, version ${vsn}, where policies rule`, () => {
        const open = (t, claims) => phoenix.connect(t, server.url('/socket'), vsn,
            { authToken: member_token(claims), rejoinAfterMs: () => 60_000 });

        test('joins private channels and topics with handlers that a policy opens', async (t) => {
            const socket = open(t, { roles: ['vip'], permissions: ['talk'] });
            const params = { config: { private: true } };
            await phoenix.joined(socket, `realtime:${fresh_topic('room')}`, { params });
            const channel = await phoenix.joined(socket, fresh_topic('vip:'));
            assert.deepEqual(await phoenix.outcome(channel.push('hi', { n: 1 })), ['ok', { n: 1 }]);
        });

        test('is refused the others, and the rest goes on', async (t) => {
            const socket = open(t, { role: 'anon' });
            const name = fresh_topic('room');
            const room = phoenix.join(socket, `realtime:${name}`, { params: { config: { private: true } } });
            const vip = phoenix.join(socket, fresh_topic('vip:'));
            const channel = await phoenix.joined(socket, fresh_topic('anything:'));
            await room.log.expect('join error', { reason: no_right(name) });
            await vip.log.expect('join error', { reason: 'unauthorized' });
            assert.deepEqual(await phoenix.outcome(channel.push('hi', {})), ['ok', {}]);
        });

        test('may join without talking', async (t) => {
            const channel = await phoenix.joined(open(t, { roles: ['vip'] }), fresh_topic('vip:'));
            assert.deepEqual(await phoenix.outcome(channel.push('hi', {})),
                ['error', { reason: 'unauthorized' }]);
        });
    });
}
