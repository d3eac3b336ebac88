// The client certificate of a TLS connection as RFC 9440 has it: the base64 of its DER between two colons,
// which is its PEM without the first and the last line, and without line breaks. Empty, so that nginx sends no
// header, where the client showed none or nginx did not verify it.
function header(r) {
    if (r.variables.ssl_client_verify !== 'SUCCESS') {
        return '';
    }
    return ':' + r.variables.ssl_client_raw_cert.replace(/-----[A-Z ]+-----|\s/g, '') + ':';
}

export default { header };
