// Makes endpoints slow or broken for a while, and counts who asked for what.

const ENDPOINTS = {
  '/.well-known/openid-configuration': 'discovery',
  '/auth': 'authorization',
  '/token': 'token',
  '/jwks': 'jwks',
  '/me': 'userinfo',
  '/token/revocation': 'revocation',
  '/session/end': 'end_session',
};

const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

export class Faults {
  constructor() {
    this.counts = {};
    this.faults = new Map();
  }

  count(what) {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }

  // {endpoint, status?, body?, type?, delay_ms?, drop?, times?}: from now on, until cleared or so many times.
  set(fault) {
    this.faults.set(fault.endpoint, { times: Infinity, ...fault });
  }

  clear() {
    this.faults.clear();
  }

  // True if the request was answered here.
  async apply(request, response) {
    const endpoint = ENDPOINTS[request.url.split('?')[0]];
    if (!endpoint) return false;
    this.count(endpoint);
    const fault = this.faults.get(endpoint);
    if (!fault || fault.times <= 0) return false;
    fault.times -= 1;
    if (fault.delay_ms) await sleep(fault.delay_ms);
    if (fault.drop) {
      request.socket.destroy();
      return true;
    }
    if (!fault.status) return false;
    response.writeHead(fault.status, { 'Content-Type': fault.type ?? 'application/json', ...fault.headers });
    response.end(fault.body ?? '{}');
    return true;
  }
}
