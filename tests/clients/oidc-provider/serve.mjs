// An OpenID provider with its own log-in pages: node serve.mjs PORT REDIRECT_URI CLIENT_ID CLIENT_SECRET AUTH_METHOD
// Whoever logs in as `NAME` has the subject `NAME`, the address NAME@example.go.id, verified unless NAME
// begins with `unverified`.
import process from 'node:process'
import { Provider } from 'oidc-provider'

const [port, redirectUri, clientId, clientSecret, authMethod] = process.argv.slice(2)
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    {
      client_id: clientId,
      client_secret: authMethod === 'none' ? undefined : clientSecret,
      redirect_uris: [redirectUri],
      token_endpoint_auth_method: authMethod,
    },
  ],
  claims: { openid: ['sub'], email: ['email', 'email_verified'] },
  clientAuthMethods: [authMethod],
  cookies: { keys: ['only for tests'] },
  pkce: { required: () => true },
  findAccount: (_context, id) => ({
    accountId: id,
    claims: () => ({
      sub: id,
      email: `${id}@example.go.id`,
      email_verified: !id.startsWith('unverified'),
    }),
  }),
})
provider.listen(Number(port), '127.0.0.1', () => console.log('listening'))
