// The status page of a phx-server that lets everybody in, as a person at a browser meets it.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { connection_errors, screenshot, shared_browser } from '../interop/browser.mjs';
import { Program, eventually, phx_server, shared_server, start } from '../interop/harness.mjs';
import * as phoenix from '../interop/phoenix_js.mjs';
import { client, inspect, live_page, logged, next_reports, number, shows } from './status_page.mjs';

const server = shared_server(phx_server);
const browser = shared_browser();
const open = (t, options) => live_page(t, browser, server, options);
const present = (page) => page.getByRole('list', { name: 'Present' }).getByRole('listitem');
const topic_row = (page, topic) => page.locator('#topic-list').getByRole('button', { name: topic });

describe('what it shows', () => {
    test('counts clients, topics and channels as they come and go', async (t) => {
        const page = await open(t);
        await shows(page, 'connections', '1');
        await shows(page, 'topics', '1');
        const [room] = await client(t, server, ['room:1', 'realtime:lobby']);
        await client(t, server, ['room:1']);
        await shows(page, 'connections', '3');
        await shows(page, 'topics', '3');
        await shows(page, 'channels', '4');
        await topic_row(page, 'room:1 2').waitFor();
        await phoenix.outcome(room.leave());
        await topic_row(page, 'room:1 1').waitFor();
        await shows(page, 'channels', '3');
        room.socket.disconnect();
        await shows(page, 'connections', '2');
        await topic_row(page, 'realtime:lobby').waitFor({ state: 'detached' });
    });

    test('counts messages, shows their rate and draws it', async (t) => {
        const page = await open(t);
        const [room] = await client(t, server, ['room:1']);
        await next_reports(page);
        const before = await number(page, 'total-in');
        const busy = eventually(async () => (await number(page, 'in')) >= 5, 'a rate of more than a heartbeat');
        const outcomes = await Promise.all(Array.from({ length: 50 }, () => phoenix.outcome(room.push('echo', {}))));
        assert.ok(outcomes.every(([status]) => status === 'ok'));
        await busy;
        await eventually(async () => (await number(page, 'total-in')) >= before + 50, 'all of them');
        assert.match(await page.locator('#path-in').getAttribute('d'), /^M\d+ [\d.]+L/);
        assert.match(await page.locator('#chart').getAttribute('aria-label'), /^Messages per second: \d+ received, \d+ sent$/);
    });
});

describe('its inspector', () => {
    test('joins a topic, shows what others send, and sends', async (t) => {
        const page = await open(t);
        const [lobby] = await client(t, server, ['realtime:lobby'], { events: ['broadcast'] });
        await inspect(page, 'realtime:lobby');
        lobby.push('broadcast', { type: 'broadcast', event: 'hi', payload: { n: 1 } });
        await logged(page, 'hi', '{"n":1}');
        const cli = new Program('PHX_CLI', ['send', server.url('/socket'), 'realtime:lobby', 'from_a_shell', '[1,2]', '--ack']);
        await cli.expect_exit(0);
        await logged(page, 'from_a_shell', '[1,2]');

        await page.getByLabel('Event').fill('hello');
        await page.getByLabel('Payload').fill('{"from": "the page"}');
        await page.getByRole('button', { name: 'Send' }).click();
        await lobby.log.skip_to('broadcast');   // from the shell
        await lobby.log.expect('broadcast', { type: 'broadcast', event: 'hello', payload: { from: 'the page' } });
        await logged(page, 'reply ok', '{}');
    });

    test('says what is no JSON, and sends nothing', async (t) => {
        const page = await open(t);
        await inspect(page, 'room:1');
        await page.getByLabel('Payload').fill('{"from": ');
        await page.getByRole('button', { name: 'Send' }).click();
        await page.getByRole('log').getByText(/not sent.*JSON/).waitFor();
        await page.getByLabel('Payload').fill('{"a":1}');
        await page.getByRole('button', { name: 'Send' }).click();
        await logged(page, 'reply ok', '{"a":1}');   // of the echo channel
    });

    test('shows who is present, itself too', async (t) => {
        const page = await open(t);
        const params = { config: { presence: { key: 'ada' } } };
        const [lobby] = await client(t, server, ['realtime:lobby'], { params });
        const track = { type: 'presence', event: 'track', payload: {} };
        await phoenix.outcome(lobby.push('presence', track));
        await inspect(page, 'realtime:lobby');
        await present(page).getByText('ada').waitFor();
        await page.getByRole('button', { name: 'Track presence' }).click();
        await eventually(async () => (await present(page).count()) === 2, 'the page among those present');
        await phoenix.outcome(lobby.leave());
        await present(page).getByText('ada').waitFor({ state: 'detached' });
        assert.equal(await present(page).count(), 1);
    });

    test('goes from topic to topic, and leaves', async (t) => {
        const page = await open(t);
        await client(t, server, ['room:here', 'room:there']);
        await topic_row(page, 'room:here').click();
        await topic_row(page, 'room:here 2').waitFor();
        await page.getByLabel('Topic', { exact: true }).fill('room:there');
        await page.getByRole('button', { name: 'Join' }).click();
        await topic_row(page, 'room:there 2').waitFor();
        await topic_row(page, 'room:here 1').waitFor();
        await page.getByRole('button', { name: 'Leave' }).click();
        await topic_row(page, 'room:there 1').waitFor();
        assert.ok(await page.getByRole('button', { name: 'Send' }).isDisabled());
    });
});

describe('a server that', () => {
    for (const [what, end] of [['dies', 'crash'], ['is stopped', 'stop']]) {
        test(`${what} is shown as disconnected, and the page goes on when it is back`, async (t) => {
            const first = await start(phx_server);
            let second;
            t.after(() => first.discard());
            t.after(() => second?.discard());
            const page = await live_page(t, browser, first);
            page.expected = connection_errors;
            await inspect(page, 'room:1');
            await first[end]();
            await shows(page, 'state', 'disconnected');
            await logged(page, 'connection lost', '');
            assert.ok(await page.locator('body.stale').isVisible());
            assert.ok(await page.getByRole('button', { name: 'Send' }).isDisabled());
            second = await start(phx_server, first.port);
            await shows(page, 'state', 'live');
            await topic_row(page, 'room:1 1').waitFor();
            assert.ok(await page.getByRole('dialog').isHidden());
            await second.stop();
        });
    }
});

describe('what strangers write', () => {
    const html = '<img src=x onerror="alert(1)"></li><script>alert(2)</script>';

    test('is shown as text: topics, events, payloads and presence', async (t) => {
        const page = await open(t);
        const topic = `realtime:${html}`;
        const [channel] = await client(t, server, [topic], { params: { config: { presence: { key: html } } } });
        await topic_row(page, topic).click();
        await page.getByRole('log').getByText('join ok').waitFor();
        channel.push('broadcast', { type: 'broadcast', event: html, payload: { [html]: html } });
        await logged(page, html, JSON.stringify({ [html]: html }));
        await phoenix.outcome(channel.push('presence', { type: 'presence', event: 'track', payload: { [html]: html } }));
        await eventually(async () => (await present(page).innerText()) === html, 'its key');
        assert.equal(await topic_row(page, topic).locator('.name').innerText(), topic);
        assert.equal(await page.locator('img, li script').count(), 0);
    });

    test('does not disturb the page: names of built-in properties, broadcasts that are none', async (t) => {
        const page = await open(t);
        const params = { config: { presence: { key: '__proto__' } } };
        const [channel] = await client(t, server, ['realtime:__proto__'], { params });
        await inspect(page, 'realtime:__proto__');
        await phoenix.outcome(channel.push('presence', { type: 'presence', event: 'track', payload: {} }));
        await eventually(async () => (await present(page).innerText()) === '__proto__', 'its key');
        channel.push('broadcast', { type: 'broadcast', event: 'no payload' });
        channel.push('broadcast', { type: 'broadcast', event: 'last', payload: null });
        await logged(page, 'last', 'null');
        await topic_row(page, 'realtime:__proto__ 2').waitFor();
    });
});

describe('who has no mouse', () => {
    const focused = (page) => page.evaluate(() => document.activeElement.id || document.activeElement.textContent);

    test('reaches everything by Tab, and joins and sends by Enter', async (t) => {
        const page = await open(t);
        await client(t, server, ['room:1']);
        await topic_row(page, 'room:1').focus();
        await page.keyboard.press('Enter');
        await page.getByRole('log').getByText('join ok').waitFor();
        await page.getByLabel('Topic', { exact: true }).focus();
        const reached = [];
        for (let i = 0; i < 7; ++i) {
            await page.keyboard.press('Tab');
            reached.push(await focused(page));
        }
        assert.deepEqual(reached, ['join', 'event', 'send', 'payload', 'log', 'presence', reached.at(-1)]);
        await page.getByLabel('Event').press('Enter');
        await logged(page, 'reply ok', '{"hello":"world"}');
    });

    test('keeps the focus on a topic while the figures move', async (t) => {
        const page = await open(t);
        await client(t, server, ['room:1']);
        await topic_row(page, 'room:1').focus();
        await client(t, server, ['room:1', 'room:2']);
        await topic_row(page, 'room:1 2').waitFor();
        assert.equal(await focused(page), 'room:12');
    });
});

describe('how it looks', () => {
    /** The worst contrast of text to what is behind it, by WCAG 2.1, and whose it is. */
    const worst_contrast = (page) => page.evaluate(() => {
        const channels = (color) => color.match(/[\d.]+/g).map(Number);
        const luminance = (color) => channels(color).slice(0, 3).map((c) => c / 255)
            .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
            .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
        const behind = (element) => {
            const color = getComputedStyle(element).backgroundColor;
            return channels(color)[3] === 0 && element.parentElement ? behind(element.parentElement) : color;
        };
        const texts = [...document.querySelectorAll('body *')].filter((element) => element.checkVisibility() &&
            !element.matches(':disabled') && [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()));
        return texts.map((element) => {
            const [a, b] = [luminance(getComputedStyle(element).color), luminance(behind(element))];
            return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), element.outerHTML.slice(0, 80)];
        }).reduce((worst, one) => (one[0] < worst[0] ? one : worst));
    });

    const busy_page = async (t, options) => {
        const page = await open(t, options);
        const params = { config: { presence: { key: 'ada' } } };
        const [lobby] = await client(t, server, ['realtime:lobby', 'room:1', 'a long name '.repeat(12)], { params });
        await client(t, server, ['realtime:lobby', 'room:1', 'room:2']);
        await inspect(page, 'realtime:lobby');
        await phoenix.outcome(lobby.push('presence', { type: 'presence', event: 'track', payload: {} }));
        lobby.push('broadcast', { type: 'broadcast', event: 'cursor', payload: { long: 'word'.repeat(60) } });
        await page.getByRole('log').getByText('cursor').waitFor();
        await next_reports(page);
        return page;
    };

    for (const colorScheme of ['light', 'dark']) {
        test(`is readable in ${colorScheme} colours`, async (t) => {
            const page = await busy_page(t, { colorScheme, viewport: { width: 1280, height: 1000 } });
            const [ratio, whose] = await worst_contrast(page);
            assert.ok(ratio >= 4.5, `${ratio}: ${whose}`);
            const back = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
            const brightness = Math.max(...back.match(/\d+/g).map(Number));
            assert.equal(brightness < 128, colorScheme === 'dark', back);
            await screenshot(page, `status-${colorScheme}`);
        });
    }

    test('fits a screen of 400 pixels', async (t) => {
        const page = await busy_page(t, { viewport: { width: 400, height: 800 } });
        const outside = await page.evaluate(() => [...document.querySelectorAll('body *')]
            .filter((element) => element.checkVisibility() && !element.closest('svg'))
            .filter((element) => element.getBoundingClientRect().right > innerWidth)
            .map((element) => element.outerHTML.slice(0, 80)));
        assert.deepEqual(outside, []);
        assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 400);
        await screenshot(page, 'status-narrow');
    });
});
