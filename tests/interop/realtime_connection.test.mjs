// realtime-js against phx-server: subscribing, leaving, tokens, heartbeats and reconnecting.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Log, fresh_topic, phx_server, shared_server, start } from './harness.mjs';
import { client_of, expect_heard, shout, subscribe, subscribed, versions } from './realtime_js.mjs';
import { token_named } from './tokens.mjs';

const server = shared_server(phx_server);
const with_ack = { broadcast: { ack: true } };

for (const vsn of versions) {
    describe(`realtime-js, version ${vsn}`, () => {
        const open = (t, options) => client_of(t, server, vsn, options);

        test('subscribes', async (t) => {
            const channel = subscribe(open(t), fresh_topic('lobby'));
            await channel.statuses.expect('SUBSCRIBED', undefined);
            assert.equal(channel.state, 'joined');
        });

        test('subscribes with every option of a channel', async (t) => {
            const channel = subscribe(open(t), fresh_topic('lobby'), {
                config: {
                    broadcast: { self: true, ack: true },
                    presence: { key: 'k', enabled: true },
                    private: false,
                },
                events: ['*'],
                presence: true,
            });
            await channel.statuses.expect('SUBSCRIBED', undefined);
            await channel.seen.expect('sync', {});
        });

        test('gets its postgres_changes back in the join reply, as it compares them', async (t) => {
            const log = new Log('statuses');
            const one_row = { schema: 'public', table: 'todos', filter: 'id=eq.1' };
            const ignore = () => {};
            open(t).channel(fresh_topic('lobby'))
                .on('postgres_changes', { event: '*', schema: 'public' }, ignore)
                .on('postgres_changes', { ...one_row, event: 'INSERT' }, ignore)
                .subscribe((status, error) => log.add(status, error?.message));
            await log.expect('SUBSCRIBED', undefined);
        });

        test('is refused a topic without a name', async (t) => {
            const client = open(t);
            const channel = subscribe(client, '');
            await channel.statuses.expect('CHANNEL_ERROR',
                'TopicNameRequired: You must provide a topic name');
            await subscribed(client, fresh_topic('lobby'));
        });

        test('unsubscribes and hears nothing more', async (t) => {
            const topic = fresh_topic('lobby');
            const client = open(t);
            const channel = await subscribed(client, topic, { events: ['*'] });
            const sender = await subscribed(open(t), topic, { config: with_ack });
            assert.equal(await channel.unsubscribe(), 'ok');
            await channel.statuses.expect('CLOSED', undefined);
            // On one connection the server answers in order: it has taken the leave when this is answered.
            const other = await subscribed(client, fresh_topic('lobby'), { config: with_ack });
            const wire = new Log('wire');
            client.socketAdapter.onMessage(({ event, topic: to }) => wire.add(event, to));
            assert.equal(await shout(sender, 'late', {}), 'ok');
            assert.equal(await shout(other, 'fence', {}), 'ok');
            await wire.expect('phx_reply', other.topic);
            wire.expect_nothing();
            channel.statuses.expect_nothing();
        });

        test('removes a channel and subscribes to its topic again', async (t) => {
            const topic = fresh_topic('lobby');
            const client = open(t);
            const sender = await subscribed(open(t), topic);
            const channel = await subscribed(client, topic);
            assert.equal(await client.removeChannel(channel), 'ok');
            await channel.statuses.expect('CLOSED', undefined);
            assert.deepEqual(client.getChannels(), []);
            if (vsn === '1.0.0') {
                // Without a join_ref the phx_close of the first may end the second: join it after that.
                await subscribed(client, fresh_topic('lobby'));
            }
            const again = await subscribed(client, topic, { events: ['*'] });
            assert.notEqual(again, channel);
            await shout(sender, 'back', { n: 1 });
            await expect_heard(again, 'back', { n: 1 });
        });

        test('removes all its channels and disconnects', async (t) => {
            const client = open(t);
            await subscribed(client, fresh_topic('lobby'));
            await subscribed(client, fresh_topic('lobby'));
            assert.deepEqual(await client.removeAllChannels(), ['ok', 'ok']);
            assert.equal(client.isConnected(), false);
        });

        test('sets a token while it is subscribed', async (t) => {
            const client = open(t);
            const channel = await subscribed(client, fresh_topic('lobby'), { config: with_ack });
            await client.setAuth(token_named('first-token'));
            await client.setAuth(token_named('second-token'));
            assert.equal(await shout(channel, 'still here', {}), 'ok');
            channel.statuses.expect_nothing();
        });

        test('subscribes with a token', async (t) => {
            const client = open(t);
            await client.setAuth(token_named('some-token'));
            await subscribed(client, fresh_topic('lobby'));
        });

        test('takes its token from a callback', async (t) => {
            let calls = 0;
            const accessToken = async () => token_named(`token-${++calls}`);
            const client = open(t, { accessToken, heartbeatIntervalMs: 50 });
            const channel = await subscribed(client, fresh_topic('lobby'), { config: with_ack });
            const log = new Log('heartbeat');
            client.onHeartbeat((status) => log.add(status));
            await log.skip_to('ok');
            await log.skip_to('ok');
            assert.equal(await shout(channel, 'still here', {}), 'ok');
            channel.statuses.expect_nothing();
            assert.ok(calls > 1, 'each heartbeat asks for a token');
        });

        test('gets its heartbeats answered', async (t) => {
            const log = new Log('heartbeat');
            const heartbeatCallback = (status) => log.add(status);
            const client = open(t, { heartbeatIntervalMs: 50, heartbeatCallback });
            client.connect();
            for (let i = 0; i < 3; i += 1) {
                await log.expect('sent');
                await log.expect('ok');
            }
        });

        for (const [how, end] of [['is stopped', 'stop'], ['dies', 'crash']]) {
            test(`subscribes again when the server ${how} and comes back on its port`, async (t) => {
                const first = await start(phx_server);
                let second;
                t.after(() => first.discard());
                t.after(() => second?.discard());
                const config = { presence: { key: 'alice' } };
                const channel = await subscribed(client_of(t, first, vsn), 'lobby',
                    { config, events: ['*'], presence: true });
                const sender = await subscribed(client_of(t, first, vsn), 'lobby');
                await channel.seen.expect('sync', {});
                await channel.track({ n: 1 });
                await channel.seen.skip_to('join');
                await channel.seen.expect('sync', { alice: [{ n: 1 }] });
                await first[end]();
                const code = end === 'stop' ? 1012 : 1006;
                for (const { statuses } of [channel, sender]) {
                    const reason = await statuses.expect('CHANNEL_ERROR');
                    assert.match(reason, new RegExp(`^socket closed: ${code}`));
                }
                second = await start(phx_server, first.port);
                await channel.statuses.skip_to('SUBSCRIBED');
                await sender.statuses.skip_to('SUBSCRIBED');
                await channel.seen.expect('leave', ['alice', [], [{ n: 1 }]]);
                await channel.seen.expect('sync', {});
                await channel.track({ n: 2 });
                await channel.seen.expect('join', ['alice', [], [{ n: 2 }]]);
                await shout(sender, 'back', { n: 3 });
                await expect_heard(channel, 'back', { n: 3 });
                await second.stop();
            });
        }
    });
}
