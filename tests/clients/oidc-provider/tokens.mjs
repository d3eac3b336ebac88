// A token endpoint for one client with private_key_jwt, bare or with DPoP, that issues ES256 JWT access tokens;
// everything is kept in memory: node tokens.mjs PORT CLIENT_PUBLIC_JWK
import { generateKeyPairSync } from 'node:crypto'
import process from 'node:process'
import { Provider } from 'oidc-provider'

const [port, jwk] = process.argv.slice(2)
const own = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' })
const resource = 'https://gapura.example/'
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    {
      client_id: 'bench',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      id_token_signed_response_alg: 'ES256',
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: 'ES256',
      jwks: { keys: [JSON.parse(jwk)] },
    },
  ],
  clientAuthMethods: ['private_key_jwt'],
  cookies: { keys: ['only for benchmarks'] },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    dPoP: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => resource,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: 'eligibility',
        audience: resource,
        accessTokenFormat: 'jwt',
        accessTokenTTL: 300,
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
  jwks: { keys: [{ ...own, alg: 'ES256', use: 'sig' }] },
})
provider.listen(Number(port), '127.0.0.1', () => console.log('listening'))
