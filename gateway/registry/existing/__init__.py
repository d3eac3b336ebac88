"""A DTKS database that is there already, read as the registry: another's tables, a mapping, no writing.

`mapping` reads the file that an operator writes, `structure` holds it against the tables, `values` makes our
words of theirs, `identity` names their people, `connector` answers, `sample` shows an operator what fits.

A mapping file, named by GAPURA_REGISTRY_FILE and tried with `gapura registry check-mapping FILE`:

    url = "postgresql://gapura_reader@dtks-db.example/dtks"
    password_file = "dtks.password"     # mode 0600; without it PGPASSFILE and the like hold

    [people]
    table = "individu"                  # a table or a view; `schema` beside it where one is needed
    key = "id_individu"                 # unique and lasting: a number, a UUID or a short text; not the NIK
    household = "id_keluarga"           # with it the size of a household is counted
    # synthetic = { column = "uji", values = { true = "yes", false = "no" } }   who is invented, if anybody is
    as_of = "diperbarui"                # or as_of_day = 2026-08-01, one day for all rows

    [people.fields]                     # what is not mapped is not provided
    nik = "no_nik"                      # text or a whole number of 16 digits
    full_name = "nama"
    birth_date = { column = "tgl_lahir", format = "%d/%m/%Y" }  # a format only where the column is text
    sex = { column = "jk", values = { 1 = "L", 2 = "P" } }
    region = { column = "kode_desa", form = "undotted" }        # Kemendagri's code without its dots
    registry_status = { column = "aktif", values = { true = "active", false = "inactive" } }
    life_status = { column = "hidup", values = { H = "alive", M = "deceased" }, as_of = "tgl_hidup" }

    [deciles]                           # of a person or of a household
    table = "peringkat"
    household = "id_keluarga"
    decile = { column = "desil", empty = ["0"] }                # codes that say: not determined
    starts_on = { column = "triwulan", format = "quarter" }     # written like 2026-Q3 or 2026 TW 3
    as_of = "ditetapkan"

    [enrolments]
    table = "kepesertaan"
    person = "id_individu"
    programme = { column = "program", values = { A = "PKH", B = "PBI-JK" }, empty = ["LAIN"] }
    starts_on = "mulai"
    last_day = "sampai"                 # or ends_on, the first day after
"""
