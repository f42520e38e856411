// A phx-server as the example configuration starts it: TLS, tokens, logs in JSON. The files that the example names
// in /etc are in a folder of the suite, made by the openssl program.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Program, Server, within } from '../interop/harness.mjs';
import * as phoenix from '../interop/phoenix_js.mjs';
import { secret, token_of } from '../interop/tokens.mjs';

const example = fileURLToPath(new URL('../../tools/phx-server/phx-server.example.json', import.meta.url));
const later = 4102444800;
export const tokens = {
    user: token_of({ sub: 'u1', role: 'authenticated', exp: later }),
    service: token_of({ role: 'service_role', exp: later }),
};

export class Site {
    folder = mkdtempSync(join(tmpdir(), 'phx-site-'));

    constructor() {
        const key = ['ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
        for (const name of ['first', 'second']) {
            execFileSync('openssl', ['req', '-x509', '-newkey', ...key, '-days', '2', '-subj', `/CN=${name}`,
                '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', this.#path(`${name}.key`),
                '-out', this.#path(`${name}.pem`)], { stdio: 'pipe' });
        }
        this.ca = readFileSync(this.#path('first.pem'), 'utf8') + readFileSync(this.#path('second.pem'), 'utf8');
        writeFileSync(this.#path('ca.pem'), this.ca);
        writeFileSync(this.#path('secret'), `${secret}\n`, { mode: 0o600 });
        this.use_certificate('first');
    }

    #path(name) {
        return join(this.folder, name);
    }

    use_certificate(name) {
        copyFileSync(this.#path(`${name}.pem`), this.#path('cert.pem'));
        copyFileSync(this.#path(`${name}.key`), this.#path('key.pem'));
    }

    async start(...more) {
        this.server = await Server.start('PHX_SERVER', {
            args: ['--config', example, '--jwt-secret-file', this.#path('secret'),
                '--tls-cert-file', this.#path('cert.pem'), '--tls-key-file', this.#path('key.pem'), ...more],
        });
        return this;
    }

    url(path) {
        return this.server.url(path).replace(/^ws/, 'wss');
    }

    /** phx-cli, connected to it with a token; it does not try twice. */
    cli(verb, path, topic, ...more) {
        return new Program('PHX_CLI', [verb, this.url(path), topic, ...more, '--no-reconnect', '--cacert', this.#path('ca.pem')],
            { PHX_TOKEN: tokens.user });
    }

    phoenix(t) {
        return phoenix.connect(t, this.url('/socket'), '2.0.0',
            { transport: phoenix.trusting(this.ca), authToken: tokens.user, reconnectAfterMs: () => 60_000 });
    }

    /** One request: { status, headers, body, certificate }. */
    async ask(method, path, { token, body, headers = {} } = {}) {
        const all = { ...headers, ...(token && { apikey: token }), ...(body && { 'content-type': 'application/json' }) };
        const answered = new Promise((resolve, reject) => {
            const asked = request({ host: '127.0.0.1', port: this.server.port, ca: this.ca, method, path, headers: all, agent: false },
                async (response) => {
                    const certificate = response.socket.getPeerCertificate().subject.CN;
                    let text = '';
                    for await (const chunk of response) {
                        text += chunk;
                    }
                    resolve({ status: response.statusCode, headers: response.headers, body: text, certificate });
                });
            asked.on('error', reject);
            asked.end(body && JSON.stringify(body));
        });
        return within(answered, `an answer to ${method} ${path}`);
    }

    /** Nothing of it may be left, whatever happened; no secret may be in its log. */
    async close() {
        await this.server?.discard();
        rmSync(this.folder, { recursive: true });
        for (const hidden of [secret, ...Object.values(tokens)]) {
            assert.ok(!this.server?.log.includes(hidden), 'a secret is in the log');
        }
    }
}
