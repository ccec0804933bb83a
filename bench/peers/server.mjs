// node-oidc-provider as it comes, everything in memory, for measurements beside ours.
// Usage: node server.mjs PORT CLIENTS.json
import {readFileSync} from 'node:fs';
import {generateKeyPair, exportJWK} from 'jose';
import {Provider} from 'oidc-provider';

const [port, file] = process.argv.slice(2);
const {privateKey} = await generateKeyPair('ES256', {extractable: true});
const issuer = `http://localhost:${port}`;
const provider = new Provider(issuer, {
  clients: JSON.parse(readFileSync(file, 'utf8')),
  jwks: {keys: [{...await exportJWK(privateKey), alg: 'ES256', use: 'sig'}]},
  clientAuthMethods: ['private_key_jwt'],
  features: {
    devInteractions: {enabled: true}, clientCredentials: {enabled: true}, dPoP: {enabled: true, nonceSecret: Buffer.alloc(32, 1)},
    pushedAuthorizationRequests: {enabled: true}, resourceIndicators: {enabled: false}, userinfo: {enabled: true}
  },
  claims: {profile: ['name', 'birthdate', 'gender'], email: ['email']},
  findAccount: (_, id) => ({accountId: id, claims: () => ({sub: id, name: 'Amina Haddad', birthdate: '1990-01-02', gender: 'female', email: 'amina@example.org'})}),
  rotateRefreshToken: true,
  issueRefreshToken: () => true,
  cookies: {keys: ['for measurements only']}
});
provider.listen(Number(port), () => console.log('ready'));
