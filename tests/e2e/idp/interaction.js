// Login and consent: two plain pages with a form each, for people and for scripts.

const escapes = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escape = (text) => String(text).replace(/[&<>"]/g, (character) => escapes[character]);

export const page = (title, body) => `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>${escape(title)}</title></head>
<body><h1>${escape(title)}</h1>${body}</body></html>
`;

const loginForm = (uid, problem) => page('Log in at the provider', `
${problem ? `<p role="alert">${escape(problem)}</p>` : ''}
<form method="post" action="/interaction/${uid}/login">
<label for="email">E-mail</label><input id="email" name="email">
<label for="password">Password</label><input id="password" name="password" type="password">
<button type="submit">Log in</button></form>`);

const consentForm = (uid, client, scopes) => page('May it know who you are?', `
<p>${escape(client)} wants to see: ${escape(scopes.join(', '))}</p>
<form method="post" action="/interaction/${uid}/consent">
<input type="hidden" name="consent" value="given"><button type="submit">Allow</button></form>
<p><a href="/interaction/${uid}/abort">Refuse</a></p>`);

function answer(response, status, text) {
  response.writeHead(status, {
    'Content-Type': 'text/html; charset=utf-8', 'Content-Length': Buffer.byteLength(text), 'Cache-Control': 'no-store',
  });
  response.end(text);
}

async function formOf(request) {
  let body = '';
  for await (const piece of request) {
    body += piece;
    if (body.length > 65536) throw new Error('the form is too long');
  }
  return new URLSearchParams(body);
}

async function grantFor(provider, details) {
  const { prompt, params, session, grantId } = details;
  const grant = grantId ? await provider.Grant.find(grantId)
    : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  if (prompt.details.missingOIDCScope) grant.addOIDCScope(prompt.details.missingOIDCScope.join(' '));
  if (prompt.details.missingOIDCClaims) grant.addOIDCClaims(prompt.details.missingOIDCClaims);
  return grant.save();
}

export class Interaction {
  constructor(accounts) {
    this.accounts = accounts;
  }

  async show(provider, request, response) {
    const { uid, prompt, params } = await provider.interactionDetails(request, response);
    if (prompt.name === 'login') return answer(response, 200, loginForm(uid));
    return answer(response, 200, consentForm(uid, params.client_id, (params.scope || '').split(' ')));
  }

  async login(provider, request, response, uid) {
    const form = await formOf(request);
    const account = this.accounts.logIn(form.get('email'), form.get('password'));
    if (!account) return answer(response, 401, loginForm(uid, 'That is not right.'));
    return provider.interactionFinished(request, response, { login: { accountId: account } },
      { mergeWithLastSubmission: false });
  }

  async consent(provider, request, response) {
    if ((await formOf(request)).get('consent') !== 'given') return answer(response, 400, page('No consent', ''));
    const details = await provider.interactionDetails(request, response);
    const grantId = await grantFor(provider, details);
    return provider.interactionFinished(request, response, { consent: { grantId } });
  }

  async abort(provider, request, response) {
    return provider.interactionFinished(request, response,
      { error: 'access_denied', error_description: 'the user refused' }, { mergeWithLastSubmission: false });
  }

  // Handles what is below /interaction/.
  async handle(provider, request, response) {
    const [, , uid, step] = request.url.split('?')[0].split('/');
    const handlers = { 'GET ': 'show', 'POST login': 'login', 'POST consent': 'consent', 'GET abort': 'abort' };
    const name = handlers[`${request.method} ${step || ''}`];
    if (!name) return answer(response, 404, page('Nothing here', ''));
    return this[name](provider, request, response, uid);
  }
}
