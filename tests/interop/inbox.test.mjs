// What a server sends to connections arrives at realtime:$inbox, in phoenix.js and realtime-js.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bytes_of, realtime_server, shared_server } from './harness.mjs';
import * as phoenix from './phoenix_js.mjs';
import * as realtime from './realtime_js.mjs';

const server = shared_server(realtime_server);
const message = (payload, route) => ({ type: 'broadcast', event: 'ring', payload, meta: { route } });

for (const vsn of phoenix.versions) {
    describe(`the inbox, version ${vsn}`, () => {
        test('brings messages to realtime-js', async (t) => {
            const client = realtime.client_of(t, server, vsn);
            const inbox = await realtime.subscribed(client, '$inbox', { events: ['ring'] });
            await realtime.subscribed(client, 'bell');
            await inbox.heard.expect('ring', message({ n: 1 }, 'connection'));
            await inbox.heard.expect('ring', message([2], 'all'));
        });

        // As other binary broadcasts: version 1 carries no bytes, and phoenix.js reads no kind 4.
        test('brings bytes to realtime-js over version 2 only', async (t) => {
            const client = realtime.client_of(t, server, vsn);
            const inbox = await realtime.subscribed(client, '$inbox', { events: ['ring'] });
            await realtime.subscribed(client, 'bell_bytes');
            if (vsn === '2.0.0') {
                const [, heard] = await inbox.heard.next();
                assert.deepEqual(bytes_of(heard.payload), [1, 255]);
                assert.deepEqual(heard.meta, { route: 'connection' });
            }
            await inbox.heard.expect('ring', message([2], 'all'));
        });

        test('brings messages to phoenix.js', async (t) => {
            const socket = phoenix.connect(t, server.url('/socket'), vsn);
            const inbox = await phoenix.joined(socket, 'realtime:$inbox', { events: ['broadcast'] });
            await phoenix.joined(socket, 'realtime:bell');
            await inbox.log.expect('broadcast', message({ n: 1 }, 'connection'));
            await inbox.log.expect('broadcast', message([2], 'all'));
            assert.deepEqual(await phoenix.outcome(inbox.push('broadcast', {})), ['error', { reason: 'read only' }]);
        });
    });
}
