// What the provider remembers, kept in a file as well, so that a provider that was killed knows its grants again.

import { readFileSync, renameSync, writeFileSync } from 'node:fs';

const GRANTABLE = new Set(['AccessToken', 'AuthorizationCode', 'RefreshToken']);

export class Storage {
  constructor(path) {
    this.path = path;
    this.records = new Map();
    this.keys = undefined;
    try {
      const kept = JSON.parse(readFileSync(path, 'utf8'));
      this.records = new Map(kept.records);
      this.keys = kept.keys;
    } catch (error) {
      if (error.code !== 'ENOENT') throw error;
    }
  }

  save() {
    writeFileSync(`${this.path}.new`, JSON.stringify({ keys: this.keys, records: [...this.records] }));
    renameSync(`${this.path}.new`, this.path);
  }

  set(key, payload) {
    this.records.set(key, payload);
    this.save();
  }

  // The values of one model for which a test holds.
  find(model, test) {
    return [...this.records].filter(([key, value]) => key.startsWith(`${model}:`) && test(value));
  }

  revokeGrant(grantId) {
    for (const [key, value] of this.records) {
      if (GRANTABLE.has(key.split(':')[0]) && value.grantId === grantId) this.records.delete(key);
    }
    this.save();
  }

  // Ends every grant and session of an account: the next refresh is refused for good.
  revokeAccount(accountId) {
    const grants = this.find('Grant', (grant) => grant.accountId === accountId);
    for (const [key, grant] of grants) {
      this.revokeGrant(grant.jti);
      this.records.delete(key);
    }
    for (const [key] of this.find('Session', (session) => session.accountId === accountId)) this.records.delete(key);
    this.save();
    return grants.length;
  }

  // The adapter that oidc-provider wants, one object for each model.
  adapter() {
    const storage = this;
    return class {
      constructor(model) {
        this.model = model;
      }

      key(id) {
        return `${this.model}:${id}`;
      }

      async upsert(id, payload) {
        storage.set(this.key(id), payload);
      }

      async find(id) {
        return storage.records.get(this.key(id));
      }

      async findByUid(uid) {
        return storage.find(this.model, (value) => value.uid === uid)[0]?.[1];
      }

      async findByUserCode(code) {
        return storage.find(this.model, (value) => value.userCode === code)[0]?.[1];
      }

      async consume(id) {
        storage.records.get(this.key(id)).consumed = Math.floor(Date.now() / 1000);
        storage.save();
      }

      async destroy(id) {
        storage.records.delete(this.key(id));
        storage.save();
      }

      async revokeByGrantId(grantId) {
        storage.revokeGrant(grantId);
      }
    };
  }
}
