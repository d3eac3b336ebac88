"""Why a source did not answer, told in the visitor's language. Pure.

A cause is a sentence of `connectors` or `gateway/sources`, in English, for whoever has to act on it. It may
hold another one, as that of an open breaker does. What the catalogue does not know, such as a rare word of
OpenSSL's, is shown as it came.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from gateway.console.language import N_, Speech
from gateway.console.told_again import Retelling, Sentences, counted, day, either

CAUSES: Sequence[str] = (
    # How asking fails on the way (connectors/transport).
    N_("no answer from %(where)s before the deadline"),
    N_("no complete answer from %(where)s within %(seconds)s s"),
    N_("the deadline had passed before %(where)s was asked"),
    N_("the gateway is shutting down"),
    N_("all %(count)s slots of %(where)s were busy until the deadline"),
    N_("%(where)s has been failing and is not asked for %(seconds)s s; last: %(cause)s"),
    N_("%(where)s asked for rest, %(seconds)s s are left of it"),
    N_("%(where)s answers with status %(status)s and asks for %(seconds)s s of rest"),
    N_("%(where)s answers with status %(status)s and asks for rest"),
    N_("%(where)s answers with status %(status)s: check the credentials and whether our address is allowed"),
    N_("%(where)s answers with status %(status)s: our question reached it too slowly"),
    N_("%(where)s answers with status %(status)s: it does not offer what we ask for, check base_url"),
    N_(
        "%(where)s answers with status %(status)s, a redirect: set base_url to the final address, "
        "redirects are not followed"
    ),
    N_("%(where)s answers with status %(status)s, which is no final answer"),
    N_("%(where)s answers with status %(status)s: the cursor has expired, pull the list anew"),
    N_("%(where)s answers with status %(status)s: check credentials and subscription"),
    N_("%(where)s answers with status %(status)s and without metaData: is a proxy in between?"),
    N_("%(where)s answers with status %(status)s"),
    N_("%(where)s does not answer with %(type)s: does a proxy or login page answer?"),
    N_("%(where)s answers with broken JSON, at character %(position)s"),
    N_("%(where)s answers with JSON that tells a name twice, or nests too deeply"),
    N_("%(where)s answers in a content encoding that we did not offer"),
    N_("%(where)s answers with broken compression"),
    N_("%(where)s answers with compression that ends early or late"),
    N_("%(where)s answers with more than max_body_bytes = %(bytes)s"),
    N_("our question to %(where)s is no valid HTTP: check the configured credentials"),
    N_("%(where)s does not speak HTTP"),
    N_("%(where)s closed the connection before its answer was complete"),
    N_(
        "the TLS certificate of %(where)s is not trusted (%(cause)s): check ca_file or "
        "certificate_sha256, and whether it was renewed"
    ),
    N_("no TLS with %(where)s (%(reason)s): check scheme and port of base_url"),
    N_("the name in %(where)s cannot be resolved: check base_url and DNS"),
    N_("%(where)s refuses connections: is the service running?"),
    N_("no connection to %(where)s: check the network or VPN"),
    # The gateway's own part (gateway/sources, the stores behind its own sources).
    N_("No answer within %(seconds)s s."),
    N_("%(where)s is not configured: give it a section in the file that GAPURA_SOURCES names"),
    N_("The quota ledger did not answer, so the source was not asked; look at the database."),
    N_("The quota for %(day)s is used up; calls resume at 00:00 WIB on %(next_day)s."),
    N_("The database did not answer; nothing was changed."),
    N_("The database takes no writes now; nothing was changed."),
    N_("The registry did not answer within the time allowed."),
    N_("The existing registry did not answer, or its tables have changed since the start."),
    N_("The store of maps did not answer within the time allowed."),
    # Dukcapil.
    N_("No turn was left before the deadline: Dukcapil is slow, or calls_per_second low."),
    N_("Dukcapil says that today's quota is used up; calls resume at 00:00 WIB."),
    N_("Dukcapil refuses the login: check the user id and password files."),
    N_("Dukcapil refuses the IP: have this server's address and IP_USER registered."),
    N_("Dukcapil says the user is inactive: ask Dukcapil to activate it."),
    N_("Dukcapil says the institution is inactive: are reports due?"),
    N_("Dukcapil refuses the parameters: check method, spelling, date format."),
    N_("Dukcapil answered with code 08, whose meaning is not public."),
    N_("The answer names one element twice."),
    N_("The answer is not a page with exactly one element in `content`."),
    N_("The answer's page counts other than the one element that it holds."),
    N_("The answer's message is not text."),
    N_("The message is not known; if it means success, list it in `found_messages`."),
    N_("The response code is not known."),
    N_("The answer's code and messages contradict each other."),
    N_("The answer does not confirm that it speaks of the NIK that was asked."),
    N_("The record is not of the NIK that was asked."),
    N_("The answer holds no record of a person."),
    N_("token_file of the feedback service is missing, empty or not plain text"),
    N_("the feedback service refuses the entries: check ids and parameters"),
    N_("the feedback service does not confirm that it has the entries"),
    # BPJS Kesehatan.
    N_(
        "BPJS says that this consumer is not registered for VClaim: check consumer_id and user_key, and "
        "ask BPJS whether the service is activated for them"
    ),
    N_("BPJS says that the consumer id has expired: have BPJS renew it"),
    N_(
        "BPJS answers with something that this call's key does not open; if every call ends so, check "
        "that secret belongs to consumer_id"
    ),
    N_("BPJS refuses the signature: secret is not that of consumer_id, or this machine's clock is wrong"),
    N_("BPJS refuses the signature, and the clocks agree: secret is not that of consumer_id"),
    N_(
        "BPJS refuses the signature: this machine's clock is %(seconds)s s ahead of that of BPJS, "
        "synchronise it (NTP)"
    ),
    N_(
        "BPJS refuses the signature: this machine's clock is %(seconds)s s behind that of BPJS, "
        "synchronise it (NTP)"
    ),
    N_("BPJS answers without a code and message of the known types"),
    N_("BPJS answers with code %(code)s under HTTP status %(status)s"),
    N_("BPJS refuses with status %(status)s: check the credentials and whether our address is allowed"),
    N_("BPJS refuses with code %(code)s: check the credentials"),
    N_("BPJS has no such service (status 404): check base_url"),
    N_("BPJS answers with both spellings of %(name)s"),
    N_("BPJS asks for rest (code 429)"),
    N_("BPJS says that it failed (code %(code)s)"),
    N_("BPJS refuses this question (code %(code)s)"),
    N_("BPJS answers with a code that is no number"),
    N_("BPJS answers 200 without a member"),
    N_("BPJS answers about somebody else than was asked for"),
    # Lists of programmes, over SPLP.
    N_("%(where)s refuses a fresh token (%(code)s): check the application"),
    N_("%(where)s does not accept client_id and client_secret: check both"),
    N_("%(where)s says that there is more, and gives no new cursor to it"),
    N_("%(where)s does not answer with a JSON object"),
    N_("%(where)s answers without a usable access_token"),
    N_("%(where)s does not answer with a token of type Bearer"),
    N_("%(where)s does not answer with format %(format)s"),
    N_("%(where)s answers with another programme than %(programme)s"),
    N_("%(where)s answers without a usable as_of, items or more"),
    N_("%(where)s answers with a next_cursor that is no text of a sensible length"),
    N_("the token is not of the kind that this API wants: check the application's settings"),
    N_("this API has no such resource: check path and version"),
    N_("the API or this application is blocked: ask its publisher"),
    N_("this application has no subscription to the API: subscribe it in the developer portal"),
    N_("the subscription to the API is not active: ask its publisher"),
    N_("the token lacks the scope of this resource: have it granted to the application"),
    N_("the publisher has blocked this application or our address"),
    # Maps.
    N_(
        "the map server announced %(announced)s features and gave %(read)s: if the layer was just being "
        "changed, read it again; otherwise its paging does not work"
    ),
    N_("the map server gives a feature twice: its paging does not work"),
    N_("the map server does not sort as it was asked to: read it unsorted"),
    N_("the map server says that there is more, and gives nothing"),
    N_("the map server cannot page (ArcGIS Server before 10.3) and has more"),
    N_("the map server does not offer GeoJSON (ArcGIS Server before 10.4)"),
    N_("the map server does not say how many features there are"),
    N_("the map server answers with JSON that is no object"),
    N_("the map server answers with error %(code)s: the layer is not public, ask its owner"),
    N_("the map server answers with error %(code)s: no such layer, check its path"),
    N_("the map server answers with error %(code)s: it refuses this question; does the layer exist?"),
    N_("the map server answers with error %(code)s"),
    N_("the map server answers with something else than features"),
    N_("the map server answers in other coordinates than WGS 84"),
    N_("the map server answers in other coordinates than CRS84"),
    N_("the map server gives another number of features than it says"),
    N_("the map server gives several next links"),
    N_("the map server gives a next link that is no address"),
    N_("a next link of the map server leads away from base_url: configure its own address"),
    N_("a next link of the map server leads back to a page already read"),
    N_("the map server refuses with status 403: is our address allowed?"),
    N_("the map server has no such service (status 404): check its path"),
    N_("the map server answers with exception of no known code"),
    N_("the map server answers with exception %(exception)s"),
    N_("the map server refuses this question: exception of no known code"),
    N_("the map server refuses this question: exception %(exception)s"),
    N_("the map server answers with something else than a WFS 2.0 feature collection"),
    N_("the map server answers with XML that declares a DTD"),
    N_("the map server answers with broken XML"),
    N_("the map server does not say, or not in a known name, in which order its axes are"),
    N_("this is no layer of surfaces: check the path, which ends in the layer's number"),
    N_("the layer has no field %(names)s: is it the right layer?"),
    N_(
        "field %(name)s of the layer is of type %(type)s, which loses codes: its owner must publish it "
        "as text"
    ),
    N_("the layer has two fields whose names differ in case only"),
    N_("the layer does not say which fields it has"),
    # What stands around another cause.
    N_("Configuration: %(cause)s"),
    N_("%(cause)s: check family, customer, region and method."),
    N_("%(where)s: %(cause)s (%(code)s)"),
)
# What OpenSSL says of a certificate, and we of one that is pinned; other words of OpenSSL's are shown as they
# came.
CERTIFICATES: Sequence[str] = (
    N_("it is not the pinned one"),
    N_("certificate has expired"),
    N_("certificate is not yet valid"),
    N_("certificate revoked"),
    N_("certificate signature failure"),
    N_("self-signed certificate"),
    N_("self-signed certificate in certificate chain"),
    N_("unable to get local issuer certificate"),
    N_("unable to verify the first certificate"),
    N_("Hostname mismatch, certificate is not valid for '%(host)s'."),
    N_("IP address mismatch, certificate is not valid for '%(host)s'."),
)
_VALUES = {
    "cause": ".+",
    # With the code of a fault beside it, where a publisher told one.
    "status": r"\d{3}(?: \d+)?",
    "day": r"\d{4}-\d\d-\d\d",
    "next_day": r"\d{4}-\d\d-\d\d",
    "names": r"\S+(?: or \S+)*",
    "exception": r"\S*",
}
_RETELLING = Retelling(
    Sentences((*CERTIFICATES, *CAUSES), value=r"\S+", values=_VALUES),
    nested=frozenset({"cause"}),
    values={"seconds": counted, "count": counted, "day": day, "next_day": day, "names": either},
)


def cause_told(speech: Speech, cause: str) -> Markup:
    """A cause, as HTML of a page in the language of `speech`.

    >>> from gateway.console.language import speech
    >>> print(cause_told(speech("id"), "no complete answer from bpjs.example:443 within 2.5 s"))
    tidak ada jawaban lengkap dari bpjs.example:443 dalam 2,5 detik
    """
    return _RETELLING(speech, cause)
