// The status page of a phx-server that wants tokens: it asks for one with the service role.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connection_errors, screenshot, shared_browser } from '../interop/browser.mjs';
import { phx_server, shared_server, start } from '../interop/harness.mjs';
import { secret, token_of } from '../interop/tokens.mjs';
import { address, inspect, shows } from './status_page.mjs';

const kind = { ...phx_server, args: [], env: { PHX_SERVER_JWT_SECRET: secret } };
const server = shared_server(kind);
const browser = shared_browser();

const service = token_of({ role: 'service_role', exp: 4102444800 });
const anybody = token_of({ sub: 'u1', role: 'authenticated', exp: 4102444800 });
const refusals = [/^WebSocket connection to .* failed/, /^Failed to load resource: .* status of 40[13]/];
const dialog = (page) => page.getByRole('dialog', { name: 'This server wants a token' });

async function asked(t, where = server) {
    const page = await browser.page(t);
    page.expected = refusals;
    page.addresses = [];
    page.on('request', (request) => page.addresses.push(request.url()));
    page.on('websocket', (socket) => page.addresses.push(socket.url()));
    await page.goto(address(where));
    await dialog(page).waitFor();
    return page;
}

async function give(page, token) {
    await page.getByLabel('Token', { exact: true }).fill(token);
    await page.getByLabel('Token', { exact: true }).press('Enter');
}

test('shows nothing without a token', async (t) => {
    const page = await asked(t);
    await shows(page, 'state', 'token needed');
    await shows(page, 'connections', '–');
    await screenshot(page, 'status-token');
});

test('shows everything to the service role, whose token stays out of every address', async (t) => {
    const page = await asked(t);
    await give(page, service);
    await shows(page, 'state', 'live');
    await shows(page, 'connections', '1');
    assert.ok(await dialog(page).isHidden());
    await inspect(page, 'realtime:lobby');
    assert.ok(page.addresses.length >= 3, page.addresses);
    assert.deepEqual(page.addresses.filter((url) => url.includes(service.slice(0, 20)) || url.includes('token')), []);
});

test('says why it asks again', async (t) => {
    const page = await asked(t);
    await give(page, 'nonsense');
    await dialog(page).getByText('It refused the one that it was given.').waitFor();
    await give(page, anybody);
    await dialog(page).getByText('Its role is not the one that may see this page.').waitFor();
    await shows(page, 'connections', '–');
    await give(page, service);
    await shows(page, 'state', 'live');
    await shows(page, 'connections', '1');   // the one of the other role is closed
});

test('can be told later', async (t) => {
    const page = await asked(t);
    await page.keyboard.press('Escape');
    await dialog(page).waitFor({ state: 'hidden' });
    await shows(page, 'state', 'token needed');
    await page.getByRole('button', { name: 'Give a token' }).click();
    await give(page, service);
    await shows(page, 'state', 'live');
    assert.ok(await page.getByRole('button', { name: 'Give a token' }).isHidden());
});

test('keeps its token while the server restarts', async (t) => {
    const first = await start(kind);
    let second;
    t.after(() => first.discard());
    t.after(() => second?.discard());
    const page = await asked(t, first);
    page.expected = [...refusals, ...connection_errors];
    await give(page, service);
    await shows(page, 'state', 'live');
    await first.crash();
    await shows(page, 'state', 'disconnected');
    second = await start(kind, first.port);
    await shows(page, 'state', 'live');
    assert.ok(await dialog(page).isHidden());
    await second.stop();
});
