// What both clients are told: BASE_URL CLIENT_ID KEY_FILE PATH JSON_BODY [DPOP_ALGORITHM]
import { readFile } from 'node:fs/promises'

const PARAMETERS = {
  ES256: { name: 'ECDSA', namedCurve: 'P-256' },
  Ed25519: { name: 'Ed25519' },
  PS256: { name: 'RSA-PSS', hash: 'SHA-256' },
}
const ALGORITHM_OF = { EC: 'ES256', OKP: 'Ed25519', RSA: 'PS256' }

export async function readArguments() {
  const [baseUrl, clientId, keyFile, path, body, dpopAlgorithm = 'ES256'] = process.argv.slice(2)
  if (body === undefined) {
    throw new Error('usage: BASE_URL CLIENT_ID KEY_FILE PATH JSON_BODY [DPOP_ALGORITHM]')
  }
  const jwk = JSON.parse(await readFile(keyFile, 'utf8'))
  const parameters = PARAMETERS[ALGORITHM_OF[jwk.kty]]
  // WebCrypto wants neither: a JWK that names its algorithm must name it in WebCrypto's spelling.
  const { alg, use, ...bare } = jwk
  const key = await crypto.subtle.importKey('jwk', bare, parameters, false, ['sign'])
  return {
    server: new URL(baseUrl),
    clientId,
    privateKey: { key, kid: jwk.kid },
    resource: new URL(path, baseUrl),
    body,
    dpopAlgorithm,
  }
}

export async function readAnswer(response) {
  return { status: response.status, body: await response.json() }
}

export function tell(outcome) {
  console.log(JSON.stringify(outcome))
}
