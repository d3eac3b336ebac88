// Serves the GeoJSON files of a folder as ArcGIS REST: node serve.mjs FOLDER PORT
import path from 'node:path'
import process from 'node:process'
import Koop from '@koopjs/koop-core'
import provider from '@koopjs/provider-file-geojson'

const [folder, port] = process.argv.slice(2)
const koop = new Koop({ logLevel: 'error' })
koop.register(provider, { dataDir: path.relative('.', folder) })
koop.server.listen(Number(port), '127.0.0.1')
