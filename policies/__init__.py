"""The functional core: what may be released, to whom, transformed how, and who qualifies for what.

It does no I/O beyond reading the YAML it is given, knows no clock and no framework: days, keys and answers
are arguments. It imports the standard library, a YAML reader and, for pseudonyms, `cryptography`.

Read it in this order:

    dictionary   fields.yaml: every field, and the ceiling that stands above every agreement
    transforms   value to safer value, each kind with the level that it discloses (`verdicts` compare)
    revealing    which of two transformations reveals more: a partial order
    bounds       which people an agreement is about, and how much may be asked in a minute or a day
    agreement    agreements/*.yaml: one consumer, one purpose, which fields in which form
    conditions   programmes/*.yaml: who qualifies, clause by clause, yes, no or unknown
    decide       before fetching: a request is permitted with a plan, or denied with a reason (`refusals`)
    plan         what an exchange may fetch and release, compiled once per kind of request
    release      after fetching: what the plan names leaves, and nothing else
    pseudonym    the name by which one sector knows one person
    cases        agreements/*.cases.yaml: what an agreement means, run so that it stays true
    checklist    which documents an agreement still lacks, and the law that asks for each
    change       what differs between two versions, wider or narrower, in words (`wording`, `rule_change`)
    impact       what another book would have made of yesterday's questions

Beneath them: `strict_yaml` (files with their lines and all their mistakes), `regions`, `ages`, `errors`, and
`library`, which loads a whole folder. A new kind of transformation is one function and one line of `_KINDS`,
a new operator of rules one line of `_OPERATORS`; a new agreement, programme or field is YAML alone.
"""
