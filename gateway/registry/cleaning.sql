-- From what a file says to what the registry keeps, in DuckDB: the view `cleaned`, one row per row of the file.
--
-- Given beforehand: view `raw` (row, short, long, and every field of columns.py, as text, NULL where the file has no such column); tables
-- `places` (the five place columns, region), `repeated` (key, first_row), `disagreeing` (household); variables
-- as_of, default_period (or NULL), has_person_key, has_decile.
-- A row with problems is rejected; one with warnings is taken. Both are lists of `field:what`.

CREATE TEMP MACRO said(text) AS
    nullif(nullif(trim(replace(replace(replace(replace(text, chr(9), ' '), chr(10), ' '), chr(13), ' '), chr(0), '')), ''), '-');
-- Apostrophes are how spreadsheets are kept from reading a number.
CREATE TEMP MACRO compact(text) AS replace(replace(replace(replace(text, ' ', ''), '.', ''), '-', ''), '''', '');
CREATE TEMP MACRO sixteen_digits(text) AS
    CASE WHEN length(compact(text)) = 16 AND regexp_full_match(compact(text), '[0-9]+') THEN compact(text) END;
-- 3.57808E+15 and 3578081203840001.0 are what a spreadsheet leaves of a number that it took for a quantity.
CREATE TEMP MACRO spreadsheet_number(text) AS
    regexp_full_match(text, '[0-9]+([.,][0-9]+)?[eE][+]?[0-9]+|[0-9]{15,16}[.,]0+');
CREATE TEMP MACRO day_of(text) AS
    CASE WHEN regexp_full_match(text, '[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([ T].*)?') THEN try_cast(split_part(left(text, 10), ' ', 1) AS DATE)
         WHEN regexp_full_match(text, '[0-9]{1,2}[-/. ][0-9]{1,2}[-/. ][0-9]{4}([ T].*)?|[0-9]{4}/[0-9]{1,2}/[0-9]{1,2}')
         THEN try_strptime(regexp_replace(text, '[ T].*:.*', ''), ['%d-%m-%Y', '%d/%m/%Y', '%d.%m.%Y', '%d %m %Y', '%Y/%m/%d'])::DATE END;
CREATE TEMP MACRO is_yes(text) AS upper(text) IN ('Y', 'YA', 'YES', '1', 'TRUE', 'V', 'ADA');
-- An empty flag of a column that is there: the list does not name this person.
CREATE TEMP MACRO is_no(text) AS text IS NULL OR upper(text) IN ('T', 'TIDAK', 'TDK', 'N', 'NO', '0', 'FALSE', 'BUKAN');
CREATE TEMP MACRO odd_flag(text) AS NOT is_yes(text) AND NOT is_no(text);
CREATE TEMP MACRO three_digits(text) AS
    CASE WHEN regexp_full_match(text, '[^0-9]*[0-9]{1,3}') THEN lpad(regexp_extract(text, '[0-9]+'), 3, '0') END;
CREATE TEMP MACRO sex_of(text) AS
    CASE WHEN upper(text) IN ('L', 'LAKI-LAKI', 'LAKI LAKI', 'LAKILAKI', 'LK', 'PRIA', '1') THEN 'L'
         WHEN upper(text) IN ('P', 'PEREMPUAN', 'PR', 'WANITA', '2') THEN 'P' END;
CREATE TEMP MACRO decile_of(text) AS
    try_cast(regexp_extract(upper(text), '^(DESIL )?(10|[1-9])([.]0+)?$', 2) AS TINYINT);
CREATE TEMP MACRO undetermined(text) AS upper(text) IN ('BELUM DITENTUKAN', 'BELUM', '0');
CREATE TEMP MACRO quarter_start(text) AS
    CASE WHEN regexp_full_match(upper(text), '[0-9]{4}[- ]?(Q|TW|TRIWULAN)[- ]?[1-4]')
         THEN make_date(left(text, 4)::INTEGER, right(text, 1)::INTEGER * 3 - 2, 1) END;
-- SIAK's words; a number is the code of a survey (1 head .. 8 other), not SIAK's.
CREATE TEMP MACRO relation_of(word, code, sex) AS
    CASE regexp_replace(upper(coalesce(word, code)), '[^A-Z0-9]+', ' ', 'g')
        WHEN 'KEPALA KELUARGA' THEN 'Kepala Keluarga' WHEN '1' THEN 'Kepala Keluarga'
        WHEN 'SUAMI' THEN 'Suami' WHEN 'ISTRI' THEN 'Istri' 
        WHEN '2' THEN CASE sex WHEN 'L' THEN 'Suami' WHEN 'P' THEN 'Istri' END
        WHEN 'ANAK' THEN 'Anak' WHEN '3' THEN 'Anak' WHEN 'MENANTU' THEN 'Menantu' WHEN '4' THEN 'Menantu'
        WHEN 'CUCU' THEN 'Cucu' WHEN '5' THEN 'Cucu' WHEN 'ORANG TUA' THEN 'Orang Tua' WHEN 'MERTUA' THEN 'Mertua'
        WHEN '6' THEN 'Orang Tua/Mertua' WHEN 'ORANG TUA MERTUA' THEN 'Orang Tua/Mertua'
        WHEN 'FAMILI LAIN' THEN 'Famili Lain' WHEN 'PEMBANTU' THEN 'Pembantu' WHEN '7' THEN 'Pembantu'
        WHEN 'LAINNYA' THEN 'Lainnya' WHEN '8' THEN 'Lainnya' END;
-- Words, or the survey's codes: 1 lives here, 2 died, 3 and 4 moved, 5 new member, 6 not found.
CREATE TEMP MACRO presence_of(text) AS
    CASE WHEN upper(text) IN ('1', '5', 'TINGGAL', 'TINGGAL DI SINI', 'ADA', 'DITEMUKAN', 'ANGGOTA BARU') THEN 'here'
         WHEN upper(text) = '2' OR upper(text) LIKE 'MENINGGAL%' THEN 'dead'
         WHEN upper(text) IN ('3', '4') OR upper(text) LIKE 'PINDAH%' THEN 'moved'
         WHEN upper(text) IN ('6', 'TIDAK DITEMUKAN') THEN 'not found' END;

CREATE TEMP VIEW told AS
SELECT row, short, long, said(COLUMNS(* EXCLUDE (row, short, long))) FROM raw;

CREATE TEMP VIEW trimmed AS
SELECT
    told.*,
    sixteen_digits(told.nik) AS good_nik,
    sixteen_digits(told.family_card_number) AS good_card,
    day_of(told.birth_date) AS good_birth_date,
    sex_of(told.sex) AS good_sex,
    quarter_start(told.period) AS good_period,
    relation_of(told.family_relation, told.relation_code, sex_of(told.sex)) AS good_relation,
    presence_of(told.presence) AS good_presence,
    CASE WHEN getvariable('has_person_key') THEN 'dtks:' || coalesce(told.person_key, told.dtks_id)
         ELSE 'nik:' || sixteen_digits(told.nik) END AS source_key,
    coalesce('kk:' || sixteen_digits(told.family_card_number), 'id:' || told.household_key) AS household,
    -- Values that cannot be what their heading says: one is a slip, several are a shifted row.
    (told.sex IS NOT NULL AND sex_of(told.sex) IS NULL)::INTEGER
        + (told.birth_date IS NOT NULL AND NOT regexp_matches(told.birth_date, '^[0-9]+[-/. 0-9T:]*$'))::INTEGER
        + coalesce(regexp_full_match(told.full_name, '[-0-9. ]+'), false)::INTEGER
        + coalesce(regexp_matches(told.nik, '[A-Za-z]{3}'), false)::INTEGER
        + coalesce(regexp_matches(told.family_card_number, '[A-Za-z]{3}'), false)::INTEGER AS misplaced
FROM told;

-- The few columns that have to be seen together before any row can be judged.
CREATE TEMP VIEW surveyed AS
SELECT
    row, source_key, household, decile, misplaced >= 2 AS shifted,
    IF(length(nik) = 16, nik LIKE '%0', NULL) AS rounded,
    IF(source_key IS NULL, NULL, hash(source_key)) AS key,
    IF(household IS NULL, NULL, hash(household)) AS family,
    coalesce(province, '') AS province, coalesce(regency, '') AS regency, coalesce(district, '') AS district,
    coalesce(village, '') AS village, coalesce(region_code, '') AS region_code
FROM trimmed;

CREATE TEMP VIEW judged AS
SELECT
    trimmed.*,
    places.region,
    disagreeing.household IS NOT NULL AS decile_disputed,
    CASE WHEN short THEN 'row:short'
         WHEN long THEN 'row:long'
         WHEN misplaced >= 2 THEN 'row:shifted'
         ELSE concat_ws(',',
            CASE WHEN spreadsheet_number(nik) THEN 'nik:spreadsheet' END,
            CASE WHEN spreadsheet_number(family_card_number) THEN 'family_card_number:spreadsheet' END,
            CASE WHEN source_key IS NULL THEN IF(getvariable('has_person_key'), 'dtks_id:missing', 'nik:needed') END,
            CASE WHEN row > repeated.first_row THEN IF(getvariable('has_person_key'), 'dtks_id:repeated', 'nik:repeated') END,
            CASE WHEN full_name IS NULL THEN 'full_name:missing' WHEN length(full_name) > 200 THEN 'full_name:long' END,
            CASE WHEN birth_date IS NULL THEN NULL
                 WHEN regexp_full_match(birth_date, '[0-9]{1,5}([.]0)?') THEN 'birth_date:serial'
                 WHEN good_birth_date IS NULL THEN 'birth_date:unreadable'
                 WHEN good_birth_date NOT BETWEEN DATE '1880-01-01' AND getvariable('as_of') THEN 'birth_date:impossible' END,
            CASE WHEN sex IS NOT NULL AND good_sex IS NULL THEN 'sex:unknown' END,
            CASE WHEN decile IS NOT NULL AND decile_of(decile) IS NULL AND NOT undetermined(decile) THEN 'decile:unknown' END,
            CASE WHEN period IS NOT NULL AND good_period IS NULL THEN 'period:unreadable'
                 WHEN decile IS NOT NULL AND coalesce(good_period, getvariable('default_period')) IS NULL THEN 'period:missing' END,
            CASE WHEN odd_flag(pbi) THEN 'pbi:flag' END,
            CASE WHEN odd_flag(pkh) THEN 'pkh:flag' END,
            CASE WHEN odd_flag(bpnt) THEN 'bpnt:flag' END,
            CASE WHEN odd_flag(bst) THEN 'bst:flag' END,
            CASE WHEN odd_flag(synthetic) THEN 'synthetic:flag' END,
            CASE WHEN identity_status IS NOT NULL AND odd_flag(identity_status)
                      AND upper(identity_status) NOT IN ('PADAN', 'TIDAK PADAN', 'GANDA', 'BELUM DIPERIKSA') THEN 'identity_status:unknown' END,
            CASE WHEN registry_status IS NOT NULL AND upper(registry_status) NOT LIKE '%AKTIF%' THEN 'registry_status:unknown' END,
            CASE WHEN presence IS NOT NULL AND good_presence IS NULL THEN 'presence:unknown' END,
            CASE WHEN welfare_status IS NOT NULL AND upper(welfare_status) NOT IN ('LAYAK', 'TIDAK LAYAK') THEN 'welfare_status:unknown' END)
         END AS problems
FROM trimmed
LEFT JOIN places ON places.province = coalesce(trimmed.province, '') AND places.regency = coalesce(trimmed.regency, '')
    AND places.district = coalesce(trimmed.district, '') AND places.village = coalesce(trimmed.village, '')
    AND places.region_code = coalesce(trimmed.region_code, '')
LEFT JOIN repeated ON repeated.key = trimmed.source_key
LEFT JOIN disagreeing ON disagreeing.household = trimmed.household;

-- Yes and no are 1 and 0, which both databases read.
CREATE TEMP VIEW cleaned AS
SELECT
    row AS row_number,
    problems,
    concat_ws(',',
        CASE WHEN nik IS NULL THEN 'nik:missing' WHEN good_nik IS NULL THEN 'nik:malformed' END,
        CASE WHEN household IS NULL THEN 'family_card_number:none'
             WHEN family_card_number IS NOT NULL AND good_card IS NULL THEN 'family_card_number:malformed' END,
        CASE WHEN region IS NULL THEN 'region_code:none' WHEN length(region) < 13 THEN 'region_code:partial' END,
        CASE WHEN coalesce(family_relation, relation_code) IS NOT NULL AND good_relation IS NULL THEN 'family_relation:unknown' END,
        CASE WHEN decile_disputed THEN 'decile:disputed' WHEN undetermined(decile) THEN 'decile:undetermined'
             WHEN decile IS NULL AND getvariable('has_decile') THEN 'decile:empty' END) AS warnings,
    source_key,
    dtks_id,
    good_nik AS nik,
    household AS household_key,
    good_card AS family_card_number,
    good_relation AS family_relation,
    full_name,
    good_birth_date AS birth_date,
    birth_place,
    good_sex AS sex,
    mother_name,
    occupation,
    address,
    hamlet,
    three_digits(rt) AS rt,
    three_digits(rw) AS rw,
    region AS region_code,
    coalesce(is_yes(synthetic), false)::TINYINT AS synthetic,
    CASE WHEN regexp_matches(upper(registry_status), '(NON|TIDAK)[ -]?AKTIF') THEN 'inactive'
         WHEN registry_status IS NOT NULL THEN 'active' END AS registry_status,
    CASE good_presence WHEN 'here' THEN 'alive' WHEN 'moved' THEN 'alive' WHEN 'dead' THEN 'deceased' WHEN 'not found' THEN 'unknown'
         ELSE CASE WHEN upper(registry_status) LIKE '%MENINGGAL%' THEN 'unknown' END END AS life_status,
    CASE good_presence WHEN 'here' THEN 'resident' WHEN 'moved' THEN 'moved' WHEN 'not found' THEN 'unknown' END AS residence_status,
    CASE WHEN identity_status IS NULL THEN NULL
         WHEN upper(identity_status) = 'GANDA' THEN 'duplicate'
         WHEN upper(identity_status) = 'BELUM DIPERIKSA' THEN 'not_checked'
         WHEN is_yes(identity_status) OR upper(identity_status) = 'PADAN' THEN 'matched'
         ELSE 'unmatched' END AS identity_status,
    CASE upper(welfare_status) WHEN 'LAYAK' THEN 'eligible' WHEN 'TIDAK LAYAK' THEN 'not_eligible' END AS welfare_status,
    CASE WHEN NOT decile_disputed THEN decile_of(decile) END AS decile,
    (decile IS NOT NULL AND household IS NOT NULL)::TINYINT AS decile_said,
    coalesce(good_period, getvariable('default_period')) AS period_from,
    coalesce(good_period, getvariable('default_period'), getvariable('as_of')) AS effective_on,
    coalesce(is_yes(pbi), false)::TINYINT AS pbi,
    coalesce(is_yes(pkh), false)::TINYINT AS pkh,
    coalesce(is_yes(bpnt), false)::TINYINT AS bpnt,
    coalesce(is_yes(bst), false)::TINYINT AS bst
FROM judged;
