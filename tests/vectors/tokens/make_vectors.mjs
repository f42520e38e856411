// Tokens of another implementation: npm install jose@5 && node make_vectors.mjs > jose.json
// The private keys are of these tests alone.
import * as jose from "jose";

const claims = { sub: "user-1", role: "authenticated", exp: 4102444800, "text": "ä\u0000\"" };
const secret = "a secret of these tests, which has more than 64 bytes: 0123456789";
const out = { secret, secret_tokens: {}, tokens: {}, private_keys: {}, jwks: { keys: [] } };

const sign = (key, alg, kid) =>
  new jose.SignJWT(claims).setProtectedHeader({ alg, typ: "JWT", ...(kid && { kid }) }).sign(key);

for (const alg of ["HS256", "HS384", "HS512"]) {
  out.secret_tokens[alg] = await sign(new TextEncoder().encode(secret), alg);
  const key = await jose.generateSecret("HS512", { extractable: true });
  out.jwks.keys.push({ kid: alg, ...(await jose.exportJWK(key)) });
  out.tokens[alg] = await sign(key, alg, alg);
}
for (const alg of ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "EdDSA"]) {
  const pair = await jose.generateKeyPair(alg, { crv: "Ed25519", modulusLength: 2048, extractable: true });
  out.jwks.keys.push({ kid: alg, ...(await jose.exportJWK(pair.publicKey)), alg, use: "sig", key_ops: ["verify"] });
  out.private_keys[alg] = await jose.exportPKCS8(pair.privateKey);
  out.tokens[alg] = await sign(pair.privateKey, alg, alg);
}
const weak = await jose.generateKeyPair("PS256", { extractable: true });
out.ps256 = { jwk: await jose.exportJWK(weak.publicKey), token: await sign(weak.privateKey, "PS256") };
console.log(JSON.stringify(out, null, 1));
