// What the suites of the status page share: the page as a person sees it, and clients for it to show.
import assert from 'node:assert/strict';
import { eventually } from '../interop/harness.mjs';
import * as phoenix from '../interop/phoenix_js.mjs';

export const address = (server) => server.url('/').replace(/^ws/, 'http');

/** Waits until the page shows this text, or one that matches, at an element's id. */
export async function shows(page, id, wanted) {
    let text;
    const matches = () => (wanted instanceof RegExp ? wanted.test(text) : text === wanted);
    await eventually(async () => {
        text = await page.locator(`#${id}`).innerText();
        return matches();
    }, `"${wanted}" in #${id}`).catch((late) => {
        throw new Error(`${late.message}; it says "${text}"`);
    });
}

/** The page, connected. */
export async function live_page(t, browser, server, options) {
    const page = await browser.page(t, options);
    await page.goto(address(server));
    await shows(page, 'state', 'live');
    await shows(page, 'connections', /\d/);
    return page;
}

/** A connected phoenix.js that has joined these topics; its channels, in order. */
export async function client(t, server, topics, { events = [], params = {}, socket = {} } = {}) {
    const connected = phoenix.connect(t, server.url('/socket'), '2.0.0', socket);
    return Promise.all(topics.map((topic) => phoenix.joined(connected, topic, { events, params })));
}

export const number = async (page, id) => Number((await page.locator(`#${id}`).innerText()).replaceAll(',', ''));

/** Waits for the report after the next one, so that all that happened before the call is shown. */
export async function next_reports(page) {
    const before = await number(page, 'total-out');
    await eventually(async () => (await number(page, 'total-out')) >= before + 2, 'two more reports');
}

export async function inspect(page, topic) {
    await page.getByLabel('Topic', { exact: true }).fill(topic);
    await page.getByRole('button', { name: 'Join' }).click();
    await page.getByRole('log').getByText('join ok').waitFor();
}

/** Waits for an entry of the inspector's log: its event, and the text of its payload. */
export async function logged(page, event, payload) {
    await eventually(async () => {
        const entries = await page.getByRole('log').getByRole('listitem').allInnerTexts();
        return entries.some((text) => text.slice('00:00:00'.length).trim() === `${event}${payload}`);
    }, `${event} ${payload} in the log`).catch(async (late) => {
        assert.fail(`${late.message}; it has:\n${await page.getByRole('log').innerText()}`);
    });
}
