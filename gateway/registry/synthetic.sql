-- Synthetic people, in DuckDB. Nothing is random: every choice is a hash of the seed, of what is chosen,
-- and of the family or the row. So row i is the same whatever number of rows is asked for; only the
-- family that the end falls into is cut short.
--
-- Given beforehand: variables seed, rows, reference_day, rate (a struct), and the pools male_names,
-- female_names, last_names, streets, occupations; tables villages (code, village, district, regency,
-- province, share_from, ordered by it) and districts (number, prefix, regency).

CREATE TEMP MACRO drawn(what, key) AS hash(getvariable('seed'), what, key);
CREATE TEMP MACRO share(what, key) AS (drawn(what, key) % 1000000)::DOUBLE / 1000000;
CREATE TEMP MACRO happens(what, key) AS share(what, key) < getvariable('rate')[what];
CREATE TEMP MACRO up_to(bound, what, key) AS (drawn(what, key) % bound)::INTEGER;
CREATE TEMP MACRO picked(pool, what, key) AS pool[1 + up_to(len(pool), what, key)];
-- Member m of family f; a family has at most 16 members.
CREATE TEMP MACRO member(f, m) AS f * 16 + m;
CREATE TEMP MACRO name_of(sex, who) AS
    CASE sex WHEN 'P' THEN picked(getvariable('female_names'), 'first', who)
             ELSE picked(getvariable('male_names'), 'first', who) END
    || CASE WHEN happens('single_word_name', who) THEN ''
            ELSE ' ' || picked(getvariable('last_names'), 'last', who) END;

-- Families: who is in them follows from the ages of the head and of the mother.
CREATE TEMP TABLE families AS
WITH heads AS (
    SELECT
        f,
        (getvariable('reference_day') - (22 * 365 + up_to(55 * 365, 'head age', f)))::DATE AS head_born,
        share('spouse', f) < 0.75 AS has_spouse,
        share('female head', f) < 0.6 AS lone_head_is_woman
    FROM range(getvariable('rows') // 2 + 100) AS numbers(f)
), mothers AS (
    SELECT
        *,
        IF(has_spouse OR NOT lone_head_is_woman, 'L', 'P') AS head_sex,
        CASE WHEN has_spouse
             THEN least(head_born + up_to(4000, 'spouse age', f) - 800,
                        getvariable('reference_day') - 19 * 365)::DATE
             WHEN lone_head_is_woman THEN head_born END AS mother_born
    FROM heads
), counted AS (
    SELECT
        *,
        coalesce(least(
            up_to(5, 'children', f),
            greatest((getvariable('reference_day') - mother_born - 20 * 365) // 1000, 0),
            IF(getvariable('reference_day') - mother_born > 58 * 365, 1, 4)), 0)::INTEGER AS children,
        CASE WHEN getvariable('reference_day') - head_born > 55 * 365 THEN 0
             WHEN share('parents', f) < 0.02 THEN 2
             WHEN share('parents', f) < 0.14 THEN 1 ELSE 0 END AS parents
    FROM mothers
), placed AS (
    SELECT
        *,
        1 + has_spouse::INTEGER + children + parents AS size,
        sum(1 + has_spouse::INTEGER + children + parents) OVER (ORDER BY f)
            - (1 + has_spouse::INTEGER + children + parents) AS first_row
    FROM counted
), settled AS (
    SELECT
        placed.*,
        villages.*,
        replace(left(villages.code, 8), '.', '') AS prefix,
        (DATE '2008-01-01' + up_to(6500, 'card', f))::DATE AS card_day,
        -- 3 of 100 families are not ranked yet.
        IF(share('unranked', f) < 0.03, NULL, 1 + up_to(10, 'decile', f)) AS decile
    FROM placed ASOF JOIN villages ON share('village', f) >= villages.share_from
    WHERE first_row < getvariable('rows')
)
SELECT
    * EXCLUDE (code, village, district, regency, province),
    upper(village) AS village,
    upper(district) AS district,
    upper(regency) AS regency,
    upper(province) AS province,
    upper('Jl. ' || picked(getvariable('streets'), 'street', f) || ' No. ' || 1 + up_to(200, 'house', f)) AS address,
    'DUSUN ' || 1 + up_to(6, 'hamlet', f) AS hamlet,
    lpad((1 + up_to(20, 'rt', f))::VARCHAR, 3, '0') AS rt,
    lpad((1 + up_to(12, 'rw', f))::VARCHAR, 3, '0') AS rw,
    prefix || strftime(card_day, '%d%m%y')
        || (9000 + (hash(prefix, card_day) % 990 + row_number() OVER (PARTITION BY prefix, card_day ORDER BY f)) % 990)::VARCHAR AS family_card,
    -- Programmes are given to families; one ranked too high or too low is served all the same now and then.
    IF(coalesce(decile <= 4, false) AND share('bpnt', f) < 0.5, 'Y', 'T') AS bpnt,
    IF(coalesce(decile <= 3, false) AND children > 0 AND share('pkh', f) < 0.55, 'Y', 'T') AS pkh,
    IF(share('pbi', f) < CASE WHEN decile <= 4 THEN 0.85 WHEN decile = 5 THEN 0.1 ELSE 0.02 END, 'Y', 'T') AS pbi,
    coalesce(decile::VARCHAR, 'BELUM DITENTUKAN') AS told_decile,
    CASE WHEN decile <= 5 THEN 'LAYAK' WHEN decile > 5 THEN 'TIDAK LAYAK' ELSE '' END AS worthiness
FROM settled;

-- Their members, with what is true of them.
CREATE TEMP TABLE members AS
WITH numbered AS (
    SELECT
        f, m, (first_row + m)::BIGINT AS i, member(f, m) AS who,
        prefix, regency, has_spouse, head_sex, head_born, mother_born,
        CASE WHEN m = 0 THEN 'Kepala Keluarga'
             WHEN m = 1 AND has_spouse THEN 'Istri'
             WHEN m < size - parents THEN 'Anak'
             ELSE 'Orang Tua' END AS relation,
        (m - 1 - has_spouse::INTEGER)::INTEGER AS nth_child
    FROM families, unnest(range(size)) AS places(m)
    WHERE first_row + m < getvariable('rows')
), born AS (
    SELECT
        *,
        CASE relation WHEN 'Kepala Keluarga' THEN head_sex WHEN 'Istri' THEN 'P'
                      ELSE IF(share('sex', who) < 0.5, 'L', 'P') END AS sex,
        CASE relation WHEN 'Kepala Keluarga' THEN head_born WHEN 'Istri' THEN mother_born
             WHEN 'Anak' THEN mother_born + 20 * 365 + nth_child * 1000 + up_to(700, 'child age', who)
             ELSE head_born - 20 * 365 - up_to(12 * 365, 'parent age', who) END::DATE AS birth_date,
        CASE WHEN relation <> 'Anak' THEN name_of('P', member(f, 15 - m))
             WHEN has_spouse THEN name_of('P', member(f, 1))
             ELSE name_of(head_sex, member(f, 0)) END AS mother
    FROM numbered
), prefixed AS (
    SELECT
        born.*,
        -- A NIK keeps the district of its first issue: some came from elsewhere.
        IF(relation <> 'Anak' AND happens('born_elsewhere', who), districts.prefix, born.prefix) AS issued_in,
        IF(relation <> 'Anak' AND happens('born_elsewhere', who), districts.regency, born.regency) AS birth_place
    FROM born JOIN districts ON districts.number = drawn('born in', who) % getvariable('district_count')
), written AS (
    SELECT
        *,
        IF(happens('stale_prefix', who), left(issued_in, 4) || (90 + up_to(10, 'abolished', who))::VARCHAR, issued_in)
        || lpad((day(birth_date) + IF(sex = 'P' AND NOT happens('missing_plus_40', who), 40, 0))::VARCHAR, 2, '0')
        || strftime(birth_date, '%m%y') AS nik_start
    FROM prefixed
)
SELECT
    f, i, who, relation, sex, birth_date, birth_place, mother, issued_in,
    nik_start || (9000 + (hash(nik_start) % 990 + row_number() OVER (PARTITION BY nik_start ORDER BY i)) % 990)::VARCHAR AS nik
FROM written;

-- What the registry's files say of them: the truth, with the defects that real files have.
CREATE TEMP VIEW export AS
WITH told AS (
    SELECT
        members.*,
        CASE WHEN happens('missing_nik', members.who) THEN ''
             WHEN happens('malformed_nik', members.who) THEN left(members.nik, 15)
             WHEN happens('duplicate_nik', members.who) THEN coalesce(twin.nik, members.nik)
             ELSE members.nik END AS told_nik,
        name_of(members.sex, members.who) AS full_name,
        up_to(1000, 'slip at', members.who) AS slip,
        CASE WHEN happens('swapped_day_month', members.who) AND day(members.birth_date) <= 12
             THEN make_date(year(members.birth_date), day(members.birth_date), month(members.birth_date))
             WHEN happens('wrong_century', members.who) AND year(members.birth_date) >= 2000
             THEN (members.birth_date - INTERVAL 100 YEAR)::DATE
             ELSE members.birth_date END AS told_birth_date,
        CASE WHEN happens('deceased', members.who) THEN 'Meninggal'
             WHEN happens('moved', members.who) THEN 'Pindah'
             WHEN happens('not_found', members.who) THEN 'Tidak Ditemukan'
             ELSE 'Tinggal' END AS presence
    FROM members
    LEFT JOIN members AS twin ON twin.i = members.i - 17 AND happens('duplicate_nik', members.who)
)
SELECT
    'SINTETIS-' || getvariable('seed') || '-' || lpad(i::VARCHAR, 9, '0') AS "Id_DTKS",
    province AS "Provinsi",
    regency AS "Kabupaten_Kota",
    district AS "Kecamatan",
    village AS "Desa_Kelurahan",
    address AS "Alamat",
    hamlet AS "Dusun",
    rt AS "RT",
    rw AS "RW",
    family_card AS "NoKK",
    told_nik AS "NIK",
    -- A slip of the pen: one letter left out.
    upper(IF(happens('misspelt_name', who),
             left(full_name, 1 + slip % (length(full_name) - 1)) || substr(full_name, 3 + slip % (length(full_name) - 1)),
             full_name)) AS "Nama",
    strftime(told_birth_date, '%Y-%m-%d') AS "Tanggal_Lahir",
    upper(birth_place) AS "Tempat_Lahir",
    sex AS "Jenis_Kelamin",
    CASE WHEN getvariable('reference_day') - birth_date < 6 * 365 THEN 'BELUM/TIDAK BEKERJA'
         WHEN getvariable('reference_day') - birth_date < 18 * 365 THEN 'PELAJAR/MAHASISWA'
         ELSE picked(getvariable('occupations'), 'occupation', who) END AS "Pekerjaan",
    upper(mother) AS "Nama_Ibu_Kandung",
    relation AS "Hub_Keluarga",
    CASE WHEN length(told_nik) <> 16 OR told_nik <> nik OR issued_in <> left(nik, 6)
              OR told_birth_date <> birth_date OR happens('unmatched', who) THEN 'T'
         WHEN happens('not_checked', who) THEN ''
         ELSE 'Y' END AS "Keterangan_Padan",
    bpnt AS "Bansos_BPNT",
    pkh AS "Bansos_PKH",
    'T' AS "Bansos_BPNT_PPKM",
    pbi AS "PBI_JKN",
    told_decile AS "desil_nasional",
    getvariable('period') AS "periode",
    IF(presence = 'Meninggal' OR happens('inactive', who), 'DTSEN NONAKTIF', 'DTSEN AKTIF') AS "status_dtsen",
    presence AS "Keberadaan",
    worthiness AS "Kelayakan",
    'Y' AS "Sintetis"
FROM told JOIN families USING (f)
ORDER BY i;
