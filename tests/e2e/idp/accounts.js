// The people the provider knows; a test may change or disable them while it runs.

export class Accounts {
  constructor(list) {
    this.byId = new Map(list.map((account) => [account.sub, { ...account }]));
  }

  get(email) {
    const account = [...this.byId.values()].find((other) => other.email === email);
    if (!account) throw new Error(`no account ${email}`);
    return account;
  }

  logIn(email, password) {
    const account = [...this.byId.values()].find((other) => (other.login ?? other.email) === email);
    return account && !account.disabled && account.password === password ? account.sub : undefined;
  }

  change(email, changes) {
    Object.assign(this.get(email), changes);
  }

  // findAccount of oidc-provider: claims are read anew each time.
  async find(id) {
    const account = this.byId.get(id);
    if (!account || account.disabled) return undefined;
    const { password, disabled, login, ...claims } = account;
    return { accountId: id, claims: async () => ({ ...claims }) };
  }
}
