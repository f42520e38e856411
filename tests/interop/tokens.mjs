// Tokens: signed by node, and known to the servers by a file.
import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// A suite runs a second time with this: its servers want tokens, its clients have them.
export const with_tokens = process.env.PHX_INTEROP_TOKENS === '1';

export const secret = 'a secret with as many bytes as a hash has';
const far_future = 4102444800;

export function token_of(claims, key = secret) {
    const part = (object) => Buffer.from(JSON.stringify(object)).toString('base64url');
    const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
    return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`;
}

/** The token of somebody who may take part. */
export const member_token = (claims = {}) => token_of({ role: 'authenticated', exp: far_future, ...claims });

/** Ends in about this many seconds; whole ones, so up to one more. */
export const expiring_token = (seconds, claims = {}) =>
    member_token({ exp: Math.floor(Date.now() / 1000) + seconds + 1, ...claims });

/** Where nobody looks at tokens the name itself, else a good token that has it. */
export const token_named = (name) => (with_tokens ? member_token({ jti: name }) : name);

let folder;
function file_of(name, text) {
    if (!folder) {
        folder = mkdtempSync(join(tmpdir(), 'phx-interop-'));
        process.on('exit', () => rmSync(folder, { recursive: true }));
    }
    const path = join(folder, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
}

/** Arguments of a server that wants tokens. */
export const key_args = () => ['--jwt-secret-file', file_of('secret', secret)];
/** Arguments of a phx-server with this configuration. */
export const config_args = (config) => ['--config', file_of('config.json', JSON.stringify(config))];
