// node provider.js CONFIG.json: the certified oidc-provider over TLS on loopback, and a control port for the tests.
//
// CONFIG.json: issuer, port, control_port, certificate, key, state_file, clients (as oidc-provider wants them), accounts
// ({sub, email, password, ...claims}), ttl ({AccessToken, IdToken, RefreshToken}), algorithms, auth_methods, and the switches userinfo,
// revocation, end_session, refresh_tokens (all true unless said otherwise).

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';

import Provider from 'oidc-provider';

import { Accounts } from './accounts.js';
import { Faults } from './faults.js';
import { Interaction, page } from './interaction.js';
import { Storage } from './storage.js';

const config = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const storage = new Storage(config.state_file);
const accounts = new Accounts(config.accounts);
const faults = new Faults();
const interaction = new Interaction(accounts);
const issued = []; // every secret given out: a test looks for them where they must not be
const algorithms = config.algorithms ?? ['ES256'];
let provider;

const KEYS = {
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  PS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EdDSA: () => generateKeyPairSync('ed25519'),
};

function makeKeys() {
  return algorithms.map((alg) => ({
    ...KEYS[alg]().privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: randomBytes(6).toString('hex'),
  }));
}

function logoutPage(context, form) {
  context.body = page('Log out of the provider?', form.replace('</form>', `
<button type="submit" name="logout" value="yes">Log out</button></form>`));
}

function settings(keys) {
  const is = (name) => ({ enabled: config[name] ?? true });
  return {
    adapter: storage.adapter(),
    clients: config.clients,
    jwks: { keys },
    cookies: { keys: ['cookies of the tests'] },
    clientAuthMethods: config.auth_methods,
    findAccount: (context, id) => accounts.find(id),
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'groups'] },
    // Without a user-info endpoint everything has to be in the id_token.
    conformIdTokenClaims: config.userinfo ?? true,
    pkce: { methods: ['S256'], required: () => config.pkce_required ?? true },
    features: {
      devInteractions: { enabled: false },
      revocation: is('revocation'),
      userinfo: is('userinfo'),
      rpInitiatedLogout: { ...is('end_session'), logoutSource: logoutPage },
    },
    rotateRefreshToken: true,
    expiresWithSession: () => false,
    issueRefreshToken: (context, client) => (config.refresh_tokens ?? true) && client.grantTypeAllowed('refresh_token'),
    interactions: { url: (context, { uid }) => `/interaction/${uid}` },
    renderError: (context, out) => { context.body = page(`Error: ${out.error}`, out.error_description ?? ''); },
    ttl: {
      AccessToken: 3600, AuthorizationCode: 60, Grant: 86400, IdToken: 3600, Interaction: 3600, RefreshToken: 86400,
      Session: 86400, ...config.ttl,
    },
  };
}

function noteSecrets(context) {
  const { access_token: access, refresh_token: refresh, id_token: id } = context.body ?? {};
  const { code, code_verifier: verifier, refresh_token: used } = context.oidc.params;
  issued.push(...[access, refresh, id, code, verifier, used].filter((text) => text && !issued.includes(text)));
}

function startProvider(keys) {
  storage.keys = keys;
  storage.save();
  provider = new Provider(config.issuer, settings(keys));
  provider.on('grant.success', (context) => {
    faults.count(`grant:${context.oidc.params.grant_type}`);
    noteSecrets(context);
  });
  provider.on('grant.error', (context, error) => {
    faults.count(`refused:${context.oidc.params?.grant_type}`);
    console.log(`token refused: ${error.error} ${error.error_description} ${error.error_detail ?? ''}`);
  });
  provider.on('end_session.success', () => faults.count('signed_out'));
  for (const event of ['authorization.error', 'userinfo.error', 'revocation.error', 'end_session.error', 'server_error']) {
    provider.on(event, (context, error) => console.log(`${event}: ${error.message} ${error.error_detail ?? ''}`));
  }
}

async function serve(request, response) {
  try {
    if (await faults.apply(request, response)) return;
    if (request.url.startsWith('/interaction/')) await interaction.handle(provider, request, response);
    else await provider.callback()(request, response);
  } catch (error) {
    console.log(`${request.method} ${request.url.split('?')[0]}: ${error.stack}`);
    if (!response.headersSent) response.writeHead(400, { 'Content-Type': 'text/plain' });
    response.end('bad request');
  }
}

const controls = {
  counts: () => faults.counts,
  reset_counts: () => { faults.counts = {}; },
  fault: (body) => faults.set(body),
  clear_faults: () => faults.clear(),
  rotate_keys: ({ keep }) => startProvider([...makeKeys(), ...(keep ? storage.keys : [])]),
  revoke_account: ({ email }) => storage.revokeAccount(accounts.get(email).sub),
  change_account: ({ email, changes }) => accounts.change(email, changes),
  secrets: () => issued,
};

async function control(request, response) {
  let body = '';
  for await (const piece of request) body += piece;
  try {
    const result = await controls[request.url.slice(1)](JSON.parse(body || '{}'));
    response.end(JSON.stringify(result ?? null));
  } catch (error) {
    response.writeHead(500);
    response.end(error.stack);
  }
}

startProvider(storage.keys ?? makeKeys());
const tls = { cert: readFileSync(config.certificate), key: readFileSync(config.key) };
https.createServer(tls, serve).listen(config.port, '127.0.0.1', () => {
  http.createServer(control).listen(config.control_port, '127.0.0.1', () => console.log('ready'));
});
process.on('SIGTERM', () => process.exit(0));
