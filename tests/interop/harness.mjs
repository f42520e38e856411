// What every suite needs: our programs as child processes, logs of what clients reported, deadlines.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { after, before } from 'node:test';
import { key_args, with_tokens } from './tokens.mjs';

// Generous: a deadline only ends a run that has already failed, so that it says what it waited for.
export const deadline_ms = 20_000;

/** Settles as `promise` does, or rejects with what was waited for. */
export function within(promise, what, ms = deadline_ms) {
    let timer;
    const expired = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`${what} did not happen within ${ms} ms`)), ms);
    });
    return Promise.race([promise, expired]).finally(() => clearTimeout(timer));
}

/** Asks `probe` until it returns something truthy. For state that nobody announces. */
export async function eventually(probe, what, ms = deadline_ms) {
    for (const end = Date.now() + ms; Date.now() < end; await new Promise((next) => setTimeout(next, 10))) {
        const found = await probe();
        if (found) {
            return found;
        }
    }
    throw new Error(`${what} did not happen within ${ms} ms`);
}

/** What one client reported, in order. */
export class Log {
    #entries = [];
    #wake = () => {};

    constructor(name = 'log') {
        this.name = name;
    }

    add(event, value) {
        this.#entries.push([event, value]);
        this.#wake();
    }

    /** A callback that adds its first argument under this name. */
    adder(event) {
        return (value) => this.add(event, value);
    }

    /** The next entry, whatever it is, as [event, value]. */
    async next(what = 'an event') {
        const arrived = async () => {
            while (this.#entries.length === 0) {
                await new Promise((wake) => (this.#wake = wake));
            }
            return this.#entries.shift();
        };
        return within(arrived(), `${this.name}: ${what}`);
    }

    /** The next entry must be this event. Returns its value, compared when one is given. */
    async expect(event, ...value) {
        const [name, got] = await this.next(event);
        assert.equal(name, event, `${this.name}: expected ${event}, got ${name} ${JSON.stringify(got)}`);
        if (value.length > 0) {
            assert.deepEqual(got, value[0], `${this.name}: ${event}`);
        }
        return got;
    }

    /** Drops entries until this event comes. */
    async skip_to(event) {
        for (;;) {
            const [name, got] = await this.next(event);
            if (name === event) {
                return got;
            }
        }
    }

    /** Nothing has been reported that the test has not read. */
    expect_nothing() {
        assert.deepEqual(this.#entries, [], `${this.name}: unexpected events`);
    }
}

function program_path(variable) {
    const path = process.env[variable];
    assert.ok(path, `${variable} names no program: it was not built`);
    accessSync(path, constants.X_OK);
    return path;
}

/** A program of ours. stdout and stderr are kept; `output` says all of it when something goes wrong. */
export class Program {
    #child;
    #ended;
    stdout = '';
    stderr = '';

    constructor(variable, args, env = {}) {
        this.name = `${variable} ${args.join(' ')}`;
        this.#child = spawn(program_path(variable), args, {
            stdio: ['pipe', 'pipe', 'pipe'],
            // Connections are closed at once when a server ends, not spread over its five seconds.
            env: { PHX_SERVER_DRAIN_SPREAD: '50ms', ...process.env, ...env },
        });
        for (const stream of ['stdout', 'stderr']) {
            this.#child[stream].setEncoding('utf8').on('data', (text) => {
                this[stream] += text;
                this.on_output();
            });
        }
        this.#child.stdin.on('error', () => {});   // it may end before it has read all
        this.#ended = once(this.#child, 'close').then(([code, signal]) => ({ code, signal }));
    }

    on_output = () => {};

    get output() {
        return `${this.name}\n--- stdout\n${this.stdout}--- stderr\n${this.stderr}`;
    }

    get running() {
        return this.#child.exitCode === null && this.#child.signalCode === null;
    }

    /** The first match in what it prints; an end without one is an error. */
    async printed(pattern, what) {
        const found = new Promise((resolve) => {
            this.on_output = () => {
                const match = pattern.exec(this.stdout) ?? pattern.exec(this.stderr);
                if (match) {
                    resolve(match);
                }
            };
            this.on_output();
        });
        const gone = this.#ended.then(({ code, signal }) => {
            throw new Error(`ended with ${code ?? signal} before it printed ${what}: ${this.output}`);
        });
        return within(Promise.race([found, gone]), `${what} of ${this.name}`).finally(() => {
            this.on_output = () => {};   // or all of it would be searched again with every line
        });
    }

    give(text) {
        this.#child.stdin.write(text);
    }

    end_input() {
        this.#child.stdin.end();
    }

    kill(signal) {
        this.#child.kill(signal);
    }

    /** Its end. What does not end in time is killed, so that nothing outlives the suite. */
    async exit() {
        return within(this.#ended, `the end of ${this.name}`).catch((late) => {
            this.kill('SIGKILL');
            throw new Error(`${late.message}: ${this.output}`);
        });
    }

    async expect_exit(expected) {
        const { code, signal } = await this.exit();
        assert.equal(code ?? signal, expected, this.output);
    }
}

/** One of our servers on a port of 127.0.0.1. */
export class Server {
    #program;

    static async start(variable, { port = 0, args = [], env = {} } = {}) {
        const server = new Server();
        server.#program = new Program(variable, ['--listen', `127.0.0.1:${port}`, ...args], env);
        const [, host, given] = await server.#program.printed(
            /listening on (?:\w+:\/\/)?([\w.[\]:]+):(\d+)/i, 'its ready line');
        server.host = `${host}:${given}`;
        server.port = Number(given);
        return server;
    }

    /** The endpoint as the JavaScript clients take it. */
    url(path) {
        return `ws://${this.host}${path}`;
    }

    /** Asks it to stop. A server that does not end with 0 has failed. */
    async stop() {
        this.#program.kill('SIGTERM');
        await this.#program.expect_exit(0);
    }

    signal(name) {
        this.#program.kill(name);
    }

    get log() {
        return this.#program.stderr;
    }

    /** The first match in its log. */
    async logs(pattern, what) {
        return this.#program.printed(pattern, what);
    }

    /** Ends it as a crash of its machine would: nobody is told. */
    async crash() {
        this.#program.kill('SIGKILL');
        await this.#program.expect_exit('SIGKILL');
    }

    /** For a test that has failed before it could stop the server. */
    async discard() {
        if (this.#program.running) {
            await this.crash();
        }
    }
}

const keys = with_tokens ? key_args() : [];
export const conformance = { variable: 'PHX_CONFORMANCE_SERVER', args: keys };
export const realtime_server = { variable: 'PHX_REALTIME_SERVER', args: keys };
export const phx_server = { variable: 'PHX_SERVER', args: with_tokens ? keys : ['--insecure-no-auth'] };

export function start({ variable, args, env }, port = 0) {
    return Server.start(variable, { port, args, env });
}

/** One server for all tests of a file; it must end with 0 after them. Read `.url(path)` inside a test. */
export function shared_server(kind) {
    let server;
    before(async () => {
        server = await start(kind);
    });
    after(() => server?.stop());
    return { url: (path) => server.url(path) };
}

let topics = 0;
/** A topic that no other test uses. */
export function fresh_topic(prefix) {
    topics += 1;
    return `${prefix}${topics}`;
}

export function bytes(...values) {
    return Uint8Array.from(values).buffer;
}

export function bytes_of(payload) {
    assert.ok(payload instanceof ArrayBuffer, `expected an ArrayBuffer, got ${JSON.stringify(payload)}`);
    return [...new Uint8Array(payload)];
}

export const every_kind_of_json = {
    text: 'žluťoučký 🐎 \u0000 \u2028 " \\ /', number: -0.5, large: 9007199254740991, tiny: 1e-300,
    yes: true, nothing: null, list: [1, [2, [3]], {}], nested: { a: { b: { c: [] } } },
};
