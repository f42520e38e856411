// The example configuration under load: what a deploy, a certificate's renewal or a changed setting must not cost.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { eventually } from '../interop/harness.mjs';
import * as phoenix from '../interop/phoenix_js.mjs';
import { Site } from './site.mjs';

const topic = 'realtime:orders';

/** Everything that is pushed, and what became of it. */
class Load {
    acknowledged = [];
    failed = [];   // { id, code, why }
    by_programs = 0;
    #count = 0;
    #working = [];
    #goes_on = true;

    constructor(site) {
        this.site = site;
    }

    /** A phx-cli for each push, one after the other, until one fails or the load ends. */
    add_programs(number) {
        for (let i = 0; i < number; ++i) {
            this.#working.push(this.#push_by_programs());
        }
    }

    async #push_by_programs() {
        while (this.#goes_on) {
            const id = this.#next();
            const program = this.site.cli('send', '/socket', topic, 'order', JSON.stringify({ id }), '--ack');
            const { code } = await program.exit();
            if (code !== 0) {
                this.failed.push({ id, code, why: program.stderr });
                return;
            }
            this.acknowledged.push(id);
            this.by_programs += 1;
        }
    }

    /** phoenix.js with so many pushes under way at any time. */
    async add_browser(t, under_way) {
        const channel = await phoenix.joined(this.site.phoenix(t), topic,
            { params: { config: { broadcast: { ack: true } } } });
        const push = () => {
            const id = this.#next();
            channel.push('broadcast', { type: 'broadcast', event: 'order', payload: { id } }).receive('ok', () => {
                this.acknowledged.push(id);
                if (this.#goes_on) {
                    push();
                }
            });
        };
        for (let i = 0; i < under_way; ++i) {
            push();
        }
    }

    #next() {
        this.#count += 1;
        return `order ${this.#count}`;
    }

    /** Waits until so many more are acknowledged; some of them those of programs. */
    async acknowledges(more) {
        const enough = this.acknowledged.length + more;
        const enough_programs = this.by_programs + 6;
        await eventually(() => this.acknowledged.length >= enough && this.by_programs >= enough_programs,
            `${more} more acknowledged pushes`);
    }

    /** When each program has failed at last. */
    async fails() {
        await Promise.all(this.#working);
    }

    async end() {
        this.#goes_on = false;
        await Promise.all(this.#working);
    }
}

/** A phx-cli that prints every order. */
async function listener(site) {
    const program = site.cli('listen', '/socket', topic, '--raw');
    await program.printed(/joined realtime:orders/, 'that it has joined');
    return program;
}

/** While it runs, its last line may still be on its way. */
function orders(program) {
    const lines = program.stdout.split('\n');
    const last = lines.pop();
    assert.ok(program.running || last === '', `ended within a line: ${last}`);
    return lines.map((line) => JSON.parse(line).payload.id);
}

function expect_each_once(heard, load) {
    const heard_once = new Set(heard);
    assert.equal(heard.length, heard_once.size, 'some were delivered twice');
    assert.deepEqual(load.acknowledged.filter((id) => !heard_once.has(id)), [], 'acknowledged and lost');
}

async function site_under_load(t, ...settings) {
    const site = await new Site().start(...settings);
    t.after(() => site.close());
    const listeners = [await listener(site), await listener(site)];
    const load = new Load(site);
    load.add_programs(3);
    await load.add_browser(t, 20);
    await load.add_browser(t, 20);
    return { site, listeners, load };
}

describe('SIGTERM under load', () => {
    // Nobody is told to stop before the others, so that all who listen hear all that was acknowledged.
    test('loses nothing that it acknowledged, and every push that failed says so', async (t) => {
        const { site, listeners, load } = await site_under_load(t, '--drain-spread', '0s');
        await load.acknowledges(500);
        assert.deepEqual(load.failed, []);
        await site.server.stop();
        await load.fails();
        for (const program of listeners) {
            await program.expect_exit(8);   // closed by the server
            assert.match(program.stderr, /closed with code 1012/);
            expect_each_once(orders(program), load);
        }
        assert.equal(load.failed.length, 3);
        for (const { code, why } of load.failed) {
            assert.ok([3, 5, 8].includes(code), `${code}: ${why}`);   // network, join refused, closed by the server
            assert.match(why, why.includes('HTTP 503') ? /try again later/ : /^phx-cli: ./);
        }
        assert.match(site.server.log, /"event":"stopped"/);
        assert.doesNotMatch(site.server.log, /"event":"cut_off"/);
        t.diagnostic(`${load.acknowledged.length} acknowledged, 0 lost`);
    });

    // Who is closed earlier hears less, but misses nothing in between.
    test('spread over a time: each listener hears everything up to its own end', async (t) => {
        const { site, listeners, load } = await site_under_load(t, '--drain-spread', '1s');
        await load.acknowledges(500);
        const before = [...load.acknowledged];
        await site.server.stop();
        await load.fails();
        const heard = [];
        for (const program of listeners) {
            await program.expect_exit(8);
            expect_each_once(orders(program), { acknowledged: before });
            heard.push(orders(program));
        }
        const [short, long] = heard.sort((a, b) => a.length - b.length);
        assert.deepEqual(short, long.slice(0, short.length));
    });
});

describe('SIGHUP under load', () => {
    test('takes new certificates without losing a push or a connection', async (t) => {
        const { site, listeners, load } = await site_under_load(t);
        for (let i = 1; i <= 6; ++i) {
            const name = i % 2 === 1 ? 'second' : 'first';
            site.use_certificate(name);
            site.server.signal('SIGHUP');
            await site.server.logs(new RegExp(`("event":"reloaded"[^]*){${i}}`), `reload ${i}`);
            assert.equal((await site.ask('GET', '/health')).certificate, name);
            await load.acknowledges(50);
        }
        await load.end();
        assert.deepEqual(load.failed, []);
        assert.doesNotMatch(site.server.log, /reload_failed/);
        for (const program of listeners) {
            assert.ok(program.running);
            await eventually(() => {
                const heard = new Set(orders(program));
                return load.acknowledged.every((id) => heard.has(id));
            }, 'every acknowledged push at a listener');
            expect_each_once(orders(program), load);
        }
        await site.server.stop();
        for (const program of listeners) {
            await program.expect_exit(8);
        }
        t.diagnostic(`${load.acknowledged.length} acknowledged, 0 lost, 6 reloads`);
    });
});
