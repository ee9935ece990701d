// An OpenID Connect provider for Narthex to sign people in with: oidc-provider,
// unmodified, with the pages that it has for development. It prints its address, and
// reads where it may send browsers back to.
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import Provider from 'oidc-provider';

const server = createServer();
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
const issuer = `http://127.0.0.1:${server.address().port}`;
createInterface({ input: process.stdin }).once('line', (callback) => {
  const provider = new Provider(issuer, {
    clients: [{
      client_id: 'narthex', client_secret: 'a secret of the client', redirect_uris: [callback],
      grant_types: ['authorization_code'], response_types: ['code'],
      backchannel_logout_uri: callback.replace('/callback/', '/logout/'), backchannel_logout_session_required: true,
    }],
    features: { backchannelLogout: { enabled: true } },
    // It sends logouts to no address of this machine, where the test is.
    fetch: (address, { dispatcher, ...options }) => fetch(address, options),
    pkce: { required: () => true },
    claims: { openid: ['sub'], profile: ['name', 'preferred_username'], email: ['email', 'email_verified'] },
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({ sub: id, preferred_username: id, name: `${id} of the provider`, email: `${id}@example.org`, email_verified: true }),
    }),
    cookies: { keys: ['a key of the provider'] },
  });
  provider.on('backchannel.error', (_, failure) => console.error(failure));
  server.on('request', provider.callback());
  console.log('ready');
}).once('close', () => process.exit());
console.log(issuer);
