// A headless Chromium and what a page in it complained about.
import assert from 'node:assert/strict';
import { accessSync, constants } from 'node:fs';
import { after, before } from 'node:test';
import { chromium } from 'playwright-core';
import { deadline_ms } from './harness.mjs';

const executablePath = process.env.PHX_CHROMIUM ?? '/usr/bin/chromium';
// Nothing that the browser does by itself; --no-sandbox, because containers give root and no user namespaces.
const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'];

/** One browser for all tests of a file, with a profile of its own. Call `.page(t, options)` inside a test. */
export function shared_browser() {
    let browser;
    before(async () => {
        accessSync(executablePath, constants.X_OK);
        browser = await chromium.launch({ executablePath, args, headless: true, timeout: deadline_ms });
    });
    after(() => browser?.close());
    return { page: (t, options) => open(t, browser, options) };
}

/** A page, closed after the test. It must not complain, except of what `page.expected` matches. */
async function open(t, browser, options) {
    const context = await browser.newContext(options);
    const page = await context.newPage();
    const complaints = [];
    page.expected = [];
    t.after(async () => {
        await context.close();
        assert.deepEqual(complaints.filter((text) => !page.expected.some((known) => known.test(text))), []);
    });
    page.setDefaultTimeout(deadline_ms);
    // What violates the content security policy is an error on the console, too.
    page.on('console', (message) => {
        if (['error', 'warning'].includes(message.type())) {
            complaints.push(message.text());
        }
    });
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('dialog', (dialog) => {
        complaints.push(`dialog: ${dialog.message()}`);
        dialog.dismiss();
    });
    return page;
}

/** What Chromium prints when nobody listens at an address, or when the connection ends. */
export const connection_errors = [/^WebSocket connection to .* failed/, /^Failed to load resource: net::ERR_/];

/** Keeps a picture of the whole page in the build folder, for people. */
export async function screenshot(page, name) {
    if (process.env.PHX_SCREENSHOTS) {
        await page.screenshot({ path: `${process.env.PHX_SCREENSHOTS}/${name}.png`, fullPage: true });
    }
}
