// A token and an answer by oauth4webapi, which then verifies the very request that it sent as an API would.
import * as oauth from 'oauth4webapi'
import { readAnswer, readArguments, tell } from './arguments.mjs'

const { server, clientId, privateKey, resource, body, dpopAlgorithm } = await readArguments()
const options = { [oauth.allowInsecureRequests]: server.protocol === 'http:' }

const discovered = await oauth.discoveryRequest(server, { algorithm: 'oauth2', ...options })
const as = await oauth.processDiscoveryResponse(server, discovered)
const me = { client_id: clientId }
const DPoP = oauth.DPoP(me, await oauth.generateKeyPair(dpopAlgorithm))

async function getToken() {
  const authentication = oauth.PrivateKeyJwt(privateKey)
  const request = { DPoP, ...options }
  const response = await oauth.clientCredentialsGrantRequest(as, me, authentication, {}, request)
  return oauth.processClientCredentialsResponse(as, me, response)
}

// This library leaves the second try to its caller.
async function retriedForNonce(act) {
  try {
    return await act()
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error
    return act()
  }
}

const token = await retriedForNonce(getToken)
let sent
const response = await retriedForNonce(() =>
  oauth.protectedResourceRequest(
    token.access_token,
    'POST',
    resource,
    new Headers({ 'content-type': 'application/json' }),
    body,
    {
      DPoP,
      ...options,
      [oauth.customFetch]: (url, init) => {
        sent = new Request(url, { method: init.method, headers: init.headers })
        return fetch(url, init)
      },
    },
  ),
)
const claims = await oauth.validateJwtAccessToken(as, sent, as.issuer, { requireDPoP: true, ...options })
tell({
  ...(await readAnswer(response)),
  token: { token_type: token.token_type, expires_in: token.expires_in, scope: token.scope },
  verified_claims: Object.keys(claims).sort(),
})
