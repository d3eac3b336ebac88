// A token, an answer, a look at the token, its revocation, and the refusal afterwards, by openid-client.
import * as client from 'openid-client'
import { readAnswer, readArguments, tell } from './arguments.mjs'

const { server, clientId, privateKey, resource, body, dpopAlgorithm } = await readArguments()
const insecure = server.protocol === 'http:' ? [client.allowInsecureRequests] : []

const config = await client.discovery(server, clientId, undefined, client.PrivateKeyJwt(privateKey), {
  algorithm: 'oauth2',
  execute: insecure,
})
const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair(dpopAlgorithm))
const token = await client.clientCredentialsGrant(config, {}, { DPoP })

function ask() {
  const headers = new Headers({ 'content-type': 'application/json' })
  return client.fetchProtectedResource(config, token.access_token, resource, 'POST', body, headers, { DPoP })
}

const answer = await readAnswer(await ask())
const introspected = await client.tokenIntrospection(config, token.access_token)
await client.tokenRevocation(config, token.access_token)
let refusal
try {
  await ask()
} catch (error) {
  if (!(error instanceof client.WWWAuthenticateChallengeError)) throw error
  refusal = { status: error.status, error: error.cause[0].parameters.error }
}
tell({
  ...answer,
  token: { token_type: token.token_type, expires_in: token.expires_in, scope: token.scope },
  introspected,
  after_revocation: refusal,
})
