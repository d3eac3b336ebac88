-- Invented people as the population register knows them and as a field survey wrote them down, in DuckDB.
-- Nothing is random: every choice is a hash of the seed, of what is chosen, and of the family or person.
--
-- Given beforehand: variables seed, families, reference_day, rate (a struct), the pools male_names,
-- female_names, second_male, second_female, clans, placeholders; table villages (number, code, regency).

CREATE TEMP MACRO drawn(what, key) AS hash(getvariable('seed'), what, key);
CREATE TEMP MACRO share(what, key) AS (drawn(what, key) % 1000000)::DOUBLE / 1000000;
CREATE TEMP MACRO happens(what, key) AS share(what, key) < getvariable('rate')[what];
CREATE TEMP MACRO up_to(bound, what, key) AS (drawn(what, key) % bound)::INTEGER;
CREATE TEMP MACRO picked(pool, what, key) AS pool[1 + up_to(len(pool), what, key)];
-- The first of n names is borne by about log 2 / log (n + 1) of the people: very common names, a long tail.
CREATE TEMP MACRO common(pool, what, key) AS
    pool[least(floor(pow(len(pool) + 1, share(what, key)))::INTEGER, len(pool))];
CREATE TEMP MACRO uuid_of(who) AS
    '00000000-0000-4000-8000-' || lpad(to_hex(who), 12, '0');
CREATE TEMP MACRO member(f, m) AS f * 16 + m;

-- Ways in which one sound is written; the place of a way in this list is drawn, and most change nothing.
CREATE TEMP MACRO respelt(name, what, key) AS trim(CASE up_to(16, what, key)
    WHEN 0 THEN replace(' ' || name, ' SU', ' SOE')
    WHEN 1 THEN replace(name, 'J', 'DJ')
    WHEN 2 THEN replace(name, 'C', 'TJ')
    WHEN 3 THEN replace(name, 'Y', 'J')
    WHEN 4 THEN replace(name, 'F', 'P')
    WHEN 5 THEN replace(name, 'V', 'F')
    WHEN 6 THEN replace(name, 'U', 'OE')
    WHEN 7 THEN replace(replace(name, 'SY', 'S'), 'KH', 'H')
    WHEN 8 THEN replace(name, 'Z', 'J')
    WHEN 9 THEN replace(name || ' ', 'H ', ' ')
    WHEN 10 THEN replace(name || ' ', 'I ', 'IE ')
    WHEN 11 THEN replace(replace(name, 'DH', 'D'), 'TH', 'T')
    WHEN 12 THEN replace(replace(name, 'NN', 'N'), 'LL', 'L')
    WHEN 13 THEN replace(name || ' ', 'O ', 'A ')
    WHEN 14 THEN replace(replace(name, 'N', 'NN'), 'NNG', 'NG')
    ELSE replace(name || ' ', 'A ', 'AH ') END);
CREATE TEMP MACRO mistyped(name, what, key) AS CASE up_to(3, what, key)
    WHEN 0 THEN left(name, 2 + up_to(greatest(length(name) - 2, 1), 'at', key) - 1)
        || substr(name, 3 + up_to(greatest(length(name) - 2, 1), 'at', key))
    WHEN 1 THEN left(name, 2 + up_to(greatest(length(name) - 2, 1), 'at', key) - 1)
        || chr(65 + up_to(26, 'letter', key)) || substr(name, 3 + up_to(greatest(length(name) - 2, 1), 'at', key))
    ELSE left(name, 1 + up_to(greatest(length(name) - 2, 1), 'at', key))
        || substr(name, 3 + up_to(greatest(length(name) - 2, 1), 'at', key), 1)
        || substr(name, 2 + up_to(greatest(length(name) - 2, 1), 'at', key), 1)
        || substr(name, 4 + up_to(greatest(length(name) - 2, 1), 'at', key)) END;
CREATE TEMP MACRO muhammad(name, key) AS regexp_replace(name, '^MUHAMMAD ',
    picked(['M. ', 'MOH. ', 'MOHAMMAD ', 'MOHAMAD ', 'MOCHAMAD ', 'MUHAMAD ', 'MUH. ', 'MOCH. ', 'MHD. '], 'muhammad', key) || '');
-- What a village calls somebody: the end of a long first name, or its beginning.
CREATE TEMP MACRO nickname(name, key) AS CASE
    WHEN length(split_part(name, ' ', 1)) >= 6 AND up_to(2, 'nick', key) = 0 THEN right(split_part(name, ' ', 1), 4)
    WHEN length(split_part(name, ' ', 1)) >= 5 THEN left(split_part(name, ' ', 1), 3 + up_to(2, 'nick of', key))
    WHEN contains(name, ' ') THEN split_part(name, ' ', 2) ELSE name END;
CREATE TEMP MACRO titled(name, sex, key) AS CASE up_to(8, 'which title', key)
    WHEN 0 THEN IF(sex = 'P', 'HJ. ', 'H. ') || name WHEN 1 THEN 'DRS. ' || name
    WHEN 2 THEN name || ', S.PD' WHEN 3 THEN name || ', SE' WHEN 4 THEN 'IR. ' || name
    WHEN 5 THEN name || ' (ALM)' WHEN 6 THEN IF(sex = 'P', 'IBU ', 'BAPAK ') || name ELSE 'USTADZ ' || name END;
CREATE TEMP MACRO second_name(sex, what, key) AS
    CASE sex WHEN 'P' THEN common(getvariable('second_female'), what, key)
             ELSE common(getvariable('second_male'), what, key) END;
CREATE TEMP MACRO base_name(sex, who, born) AS
    CASE WHEN sex = 'L' AND happens('muhammad_name', who) THEN 'MUHAMMAD '
         WHEN sex = 'P' AND happens('siti_name', who) THEN 'SITI ' ELSE '' END
    || CASE sex WHEN 'P' THEN common(getvariable('female_names'), 'first', who)
                ELSE common(getvariable('male_names'), 'first', who) END
    || CASE WHEN share('single', who) < IF(born < DATE '1975-01-01', 0.45, 0.08) THEN ''
            ELSE ' ' || second_name(sex, 'second', who)
                || IF(share('third', who) < 0.2, ' ' || second_name(sex, 'third name', who), '') END;

CREATE TEMP TABLE families AS
WITH heads AS (
    SELECT
        f,
        -- A namesake in the village bears the name of the head of the family before.
        IF(happens('namesake', f) AND NOT happens('namesake', f - 1), f - 1, f) AS named_as,
        share('spouse', f) < 0.75 AS has_spouse,
        happens('clan_family', f) AS of_clan,
        (f * getvariable('village_count')) // getvariable('families') AS village
    FROM range(1, getvariable('families') + 1) AS numbers(f)
), aged AS (
    SELECT
        *,
        (getvariable('reference_day') - 22 * 365 - up_to(55 * 365, 'head age', named_as)
            + IF(named_as = f, 0, up_to(1400, 'namesake age', f) - 700))::DATE AS head_born,
        IF(has_spouse OR share('lone', f) < 0.4, 'L', 'P') AS head_sex
    FROM heads
), mothers AS (
    SELECT
        *,
        least(head_born + up_to(4000, 'spouse age', f) - 800, getvariable('reference_day') - 19 * 365)::DATE AS mother_born
    FROM aged
)
SELECT
    mothers.* EXCLUDE (village),
    villages.*,
    least(up_to(5, 'children', f), greatest((getvariable('reference_day') - mother_born - 20 * 365) // 1000, 0))::INTEGER AS children,
    IF(getvariable('reference_day') - head_born < 50 * 365 AND happens('parent_in_family', f), 1, 0) AS parents,
    replace(left(code, 8), '.', '') AS prefix,
    replace(left(code, 8), '.', '') || strftime((DATE '2008-01-01' + up_to(6500, 'card', f))::DATE, '%d%m%y')
        || (9000 + up_to(990, 'card serial', f))::VARCHAR AS card,
    IF(of_clan, ' ' || common(getvariable('clans'), 'clan', f), '') AS clan
FROM mothers JOIN villages ON villages.number = mothers.village % getvariable('village_count');

-- The truth about every person.
CREATE TEMP TABLE people AS
WITH numbered AS (
    SELECT
        families.* EXCLUDE (has_spouse), has_spouse, m, member(f, m) AS who,
        CASE WHEN m = 0 THEN 'head' WHEN m = 1 AND has_spouse THEN 'wife'
             WHEN m < 1 + has_spouse::INTEGER + children THEN 'child' ELSE 'parent' END AS relation,
        (m - 1 - has_spouse::INTEGER)::INTEGER AS nth_child
    FROM families, unnest(range(1 + has_spouse::INTEGER + children + parents)) AS places(m)
), twinned AS (
    SELECT
        *,
        relation = 'child' AND nth_child > 0 AND nth_child % 2 = 1 AND happens('twin', who) AS is_twin,
        IF(relation = 'child' AND nth_child % 2 = 0, happens('twin', who + 1)
            AND nth_child + 1 < children, false) AS has_twin
    FROM numbered
), born AS (
    SELECT
        *,
        IF(is_twin, who - 1, who) AS born_as,
        CASE relation WHEN 'head' THEN head_sex WHEN 'wife' THEN 'P' WHEN 'parent' THEN IF(share('sex', who) < 0.3, 'L', 'P')
             ELSE IF(share('sex', IF(is_twin AND share('alike', who) < 0.75, who - 1, who)) < 0.5, 'L', 'P') END AS sex,
        CASE relation WHEN 'head' THEN head_born WHEN 'wife' THEN mother_born
             WHEN 'child' THEN mother_born + 20 * 365 + (nth_child - is_twin::INTEGER) * 1000
                 + up_to(700, 'child age', IF(is_twin, who - 1, who))
             ELSE head_born - 20 * 365 - up_to(10 * 365, 'parent age', who) END::DATE AS birth_date
    FROM twinned
), named AS (
    SELECT
        * REPLACE (IF(relation <> 'child' AND birth_date < DATE '1981-01-01' AND happens('born_first_of_january', who),
            make_date(year(birth_date), 1, 1), birth_date) AS birth_date),
        relation = 'child' AND nth_child = 0 AND sex = 'L' AND head_sex = 'L' AND happens('named_after_father', f) AS as_father,
        member(named_as, 0) AS head_key
    FROM born
), called AS (
    SELECT
        *,
        CASE WHEN as_father OR relation = 'head' THEN base_name(head_sex, head_key, head_born) || clan
             -- Twins are given names that rhyme: one part in common, or one letter apart.
             WHEN is_twin AND share('rhyme', who) < 0.5
             THEN split_part(base_name(sex, who - 1, birth_date), ' ', 1) || ' ' || second_name(sex, 'twin', who) || clan
             WHEN is_twin AND share('rhyme', who) < 0.75
             THEN left(base_name(sex, who - 1, birth_date), -1) || picked(['A', 'I', 'U', 'E'], 'twin letter', who) || clan
             -- Brothers and sisters often have their last name part in common.
             WHEN relation = 'child' AND happens('family_name', f)
             THEN split_part(base_name(sex, who, birth_date), ' ', 1) || ' ' || second_name('L', 'family', f) || clan
             ELSE base_name(sex, who, birth_date) || IF(relation = 'child' OR (relation = 'parent' AND sex = 'L'), clan, '') END AS full_name,
        CASE WHEN relation = 'child' AND has_spouse THEN base_name('P', member(f, 1), mother_born)
             WHEN relation = 'child' THEN base_name(head_sex, head_key, head_born)
             ELSE base_name('P', member(f, 15 - m), head_born) END AS mother_name,
        (getvariable('reference_day') - birth_date) // 365 AS age
    FROM named
), prefixed AS (
    SELECT
        *,
        IF(relation <> 'child' AND happens('born_elsewhere', who), elsewhere.code, called.code) AS born_in,
        IF(relation <> 'child' AND happens('born_elsewhere', who), elsewhere.regency, called.regency) AS birth_place,
        lpad((day(birth_date) + IF(sex = 'P', 40, 0))::VARCHAR, 2, '0') || strftime(birth_date, '%m%y') AS birth_part
    FROM called JOIN (SELECT number AS elsewhere_number, code, regency FROM villages) AS elsewhere
        ON elsewhere_number = drawn('elsewhere', who) % getvariable('village_count')
), lives AS (
    SELECT
        * EXCLUDE (birth_part),
        replace(left(born_in, 8), '.', '') || birth_part AS nik_start,
        CASE WHEN share('dies', who) < CASE WHEN as_father THEN 0.0 WHEN relation = 'head' AND happens('named_after_father', f) THEN 0.4
                 WHEN age < 40 THEN 0.015 WHEN age < 60 THEN 0.07 ELSE 0.4 END THEN 'deceased'
             WHEN share('leaves', who) < 0.03 THEN 'moved'
             WHEN share('inactive', who) < 0.03 THEN 'inactive' ELSE 'alive' END AS state,
        share('absent', who) < getvariable('rate')['absent'] * IF(age < 7 OR age > 60, 2.5, 0.5) AS absent,
        -- The dead are seldom in a list of the poor; that some are is why it is compared.
        share('not registered', who) < IF(state = 'deceased', 0.7, getvariable('rate')['not_registered']) AS not_registered,
        relation = 'wife' AND happens('moved_wife', who) AS moved_wife
    FROM prefixed
)
SELECT
    *, NOT not_registered AS registered,
    nik_start || (9000 + (hash(nik_start) % 990 + row_number() OVER (PARTITION BY nik_start ORDER BY who)) % 990)::VARCHAR AS nik
FROM lives;

CREATE TEMP TABLE elsewhere AS
SELECT people.who, villages.code AS other_code, villages.regency AS other_regency
FROM people JOIN villages ON villages.number = (people.number + 1 + drawn('other', who) %
    IF(share('near', who) < 0.6, 40, getvariable('village_count'))) % getvariable('village_count');

-- What the survey wrote of those it met. Each defect is written beside the row only when it changed something.
CREATE TEMP TABLE registry_rows AS
WITH drawn_nik AS (
    SELECT
        people.*, other_code, other_regency,
        relative.nik AS relatives_nik,
        -- Who has no NIK gives a relative's, none, or an invented one.
        CASE WHEN absent THEN CASE WHEN share('nik how', who) < 0.75 AND relative.nik IS NOT NULL THEN 'relatives_nik'
                 WHEN share('nik how', who) < 0.88 THEN 'missing_nik' ELSE 'invented_serial' END
             WHEN share('nik', who) < getvariable('rate')['exact_nik'] THEN 'exact' ELSE
            CASE WHEN share('nik how', who) < 0.30 THEN 'missing_nik'
                 WHEN share('nik how', who) < 0.40 THEN 'malformed_nik'
                 WHEN share('nik how', who) < 0.48 AND sex = 'P' THEN 'missing_plus_40'
                 WHEN share('nik how', who) < 0.68 AND relative.nik IS NOT NULL THEN 'relatives_nik'
                 WHEN share('nik how', who) < 0.76 THEN 'other_prefix'
                 WHEN share('nik how', who) < 0.86 THEN 'invented_serial'
                 ELSE 'mistyped_nik' END END AS nik_kind
    FROM people
    JOIN elsewhere USING (who)
    LEFT JOIN (SELECT who AS relative_who, nik FROM people) AS relative
        ON relative_who = CASE
            WHEN parents = 1 AND relation <> 'parent' AND share('of the old', who) < IF(absent, 0.6, 0.2)
            THEN member(f, 1 + has_spouse::INTEGER + children)
            WHEN m = 0 THEN who + 1 ELSE who - 1 - up_to(m, 'which relative', who) END
    WHERE registered
), names AS (
    SELECT
        *,
        CASE nik_kind WHEN 'exact' THEN nik WHEN 'missing_nik' THEN NULL
            WHEN 'malformed_nik' THEN left(nik, 13 + up_to(3, 'cut', who))
            WHEN 'missing_plus_40' THEN left(nik, 6) || lpad((substr(nik, 7, 2)::INTEGER - 40)::VARCHAR, 2, '0') || substr(nik, 9)
            WHEN 'relatives_nik' THEN relatives_nik
            WHEN 'other_prefix' THEN left(nik, 4) || lpad(up_to(90, 'prefix', who)::VARCHAR, 2, '0') || substr(nik, 7)
            WHEN 'invented_serial' THEN left(nik, 12) || (9000 + up_to(990, 'serial', who))::VARCHAR
            ELSE left(nik, up_to(15, 'nik at', who)) || up_to(10, 'digit', who)::VARCHAR || substr(nik, 2 + up_to(15, 'nik at', who)) END AS told_nik,
        IF(happens('muhammad', who), muhammad(full_name, who), full_name) AS n1
    FROM drawn_nik
), n2 AS (
    SELECT *, IF(of_clan AND clan <> '' AND happens('clan', who), rtrim(replace(n1 || ' ', clan || ' ', '')), n1) AS n2 FROM names
), n3 AS (
    SELECT *, IF(contains(n2, ' ') AND happens('dropped_part', who),
        IF(up_to(3, 'which part', who) = 0, substr(n2, 1 + strpos(n2, ' ')), regexp_replace(n2, ' [^ ]+$', '')), n2) AS n3 FROM n2
), n4 AS (
    SELECT *, IF(contains(n3, ' ') AND happens('swapped_parts', who), substr(n3, 1 + strpos(n3, ' ')) || ' ' || split_part(n3, ' ', 1), n3) AS n4 FROM n3
), n5 AS (
    SELECT *, IF(happens('nickname', who), nickname(n4, who), n4) AS n5 FROM n4
), n6_once AS (
    SELECT *, IF(happens('old_spelling', who), respelt(n5, 'spelt', who), n5) AS n6_once,
        respelt(mother_name, 'mother spelt', who) AS mother_once FROM n5
), n6 AS (
    SELECT *, IF(happens('old_spelling', who), respelt(n6_once, 'spelt again', who), n5) AS n6,
        mistyped(mother_once, 'mother slip', who) AS mother_mistyped FROM n6_once
), n7 AS (
    SELECT *, IF(happens('mistyped_name', who), mistyped(n6, 'slip', who), n6) AS n7 FROM n6
), n8 AS (
    SELECT *, IF(happens('title', who), titled(n7, sex, who), n7) AS n8,
        CASE WHEN happens('swapped_day_month', who) AND day(birth_date) <= 12
             THEN make_date(year(birth_date), day(birth_date), month(birth_date))
             WHEN share('jan', who) < getvariable('rate')['first_of_january'] * IF(age > 45, 2.0, 0.4)
             THEN make_date(year(birth_date) + IF(share('jan year', who) < 0.3, up_to(5, 'jan off', who) - 2, 0), 1, 1)
             WHEN happens('mistyped_date', who) THEN CASE up_to(5, 'date how', who)
                 WHEN 0 THEN (birth_date + INTERVAL 1 YEAR)::DATE WHEN 1 THEN (birth_date - INTERVAL 10 YEAR)::DATE
                 WHEN 2 THEN (birth_date + INTERVAL 1 MONTH)::DATE WHEN 3 THEN birth_date + 1
                 ELSE (birth_date + to_years(up_to(9, 'age told', who) - 4))::DATE END
             ELSE birth_date END AS told_birth,
        CASE WHEN happens('placeholder_mother', who) THEN picked(getvariable('placeholders'), 'placeholder', who)
             WHEN happens('other_mother', who) THEN base_name('P', who * 7 + 5, birth_date)
             WHEN happens('mother_spelling', who) THEN respelt(mother_mistyped, 'mother again', who)
             WHEN contains(mother_name, ' ') AND happens('mother_part', who) THEN split_part(mother_name, ' ', 1)
             ELSE mother_name END AS told_mother
    FROM n7
)
SELECT
    who, f, nik_kind, told_nik, n8 AS told_name, told_birth, told_mother, state, absent, relation, nik AS true_nik,
    IF(happens('wrong_sex', who), IF(sex = 'L', 'P', 'L'), sex) AS told_sex,
    -- A card is issued anew when the family changes: other date, other serial.
    CASE WHEN moved_wife THEN left(replace(other_code, '.', ''), 6)
             || strftime((DATE '2004-01-01' + up_to(6500, 'parents card', who))::DATE, '%d%m%y')
             || (9000 + up_to(990, 'parents card', who))::VARCHAR
         WHEN happens('missing_card', who) THEN NULL
         WHEN happens('old_card', who) THEN prefix
             || strftime((DATE '2004-01-01' + up_to(6500, 'old card', f))::DATE, '%d%m%y')
             || (9000 + up_to(990, 'old card', f))::VARCHAR
         WHEN happens('mistyped_card', who) THEN left(card, 6 + up_to(10, 'card at', who))
             || up_to(10, 'card digit', who)::VARCHAR || substr(card, 8 + up_to(10, 'card at', who))
         ELSE card END AS told_card,
    IF(moved_wife, other_code, code) AS told_code,
    CASE WHEN share('place how', who) < 0.15 THEN 'KAB. ' || birth_place WHEN share('place how', who) < 0.25 THEN NULL
         WHEN share('place how', who) < 0.30 THEN other_regency ELSE birth_place END AS told_place,
    list_filter([nik_kind,
        IF(n1 <> full_name, 'muhammad', NULL), IF(n2 <> n1, 'clan_name', NULL), IF(n3 <> n2, 'dropped_part', NULL),
        IF(n4 <> n3, 'swapped_parts', NULL), IF(n5 <> n4, 'nickname', NULL), IF(n6 <> n5, 'old_spelling', NULL),
        IF(n7 <> n6, 'mistyped_name', NULL), IF(n8 <> n7, 'title', NULL),
        IF(told_mother IN (SELECT unnest(getvariable('placeholders'))), 'placeholder_mother', NULL),
        IF(told_birth <> birth_date, CASE WHEN month(told_birth) = 1 AND day(told_birth) = 1 THEN 'first_of_january'
            WHEN month(told_birth) = day(birth_date) AND day(told_birth) = month(birth_date) THEN 'swapped_day_month' ELSE 'mistyped_date' END, NULL),
        IF(moved_wife, 'moved_wife', NULL), IF(is_twin OR has_twin, 'twin', NULL),
        IF(as_father OR (relation = 'head' AND head_sex = 'L' AND happens('named_after_father', f)), 'father_and_son', NULL),
        IF(relation = 'head' AND (named_as <> f OR (happens('namesake', f + 1) AND NOT happens('namesake', f))), 'namesake', NULL),
        IF(absent, 'absent', NULL)], lambda d: d IS NOT NULL) AS defects
FROM n8;

CREATE TEMP VIEW registry AS
SELECT
    uuid_of(who) AS person_id, told_nik AS nik, told_card AS family_card_number, told_name AS full_name,
    told_birth AS birth_date, told_place AS birth_place, told_sex AS sex, told_mother AS mother_name,
    told_code AS region_code, 'active' AS registry_status, 'alive' AS life_status,
    'H' || f::VARCHAR AS household_id, true AS synthetic
FROM registry_rows;

CREATE TEMP VIEW extract AS
SELECT
    nik, card AS family_card_number,
    IF(share('register slip', who) < 0.01, mistyped(full_name, 'slip in register', who), full_name) AS full_name,
    birth_date, birth_place, sex, mother_name,
    IF(state = 'moved', other_code, code) AS region_code, state AS person_state,
    IF(state = 'alive', NULL, (getvariable('reference_day') - up_to(1500, 'since', who))::DATE) AS state_since,
    getvariable('reference_day') AS as_of
FROM people JOIN elsewhere USING (who) WHERE NOT absent;

CREATE TEMP VIEW truth AS
SELECT uuid_of(who) AS person_id, IF(absent, NULL, true_nik) AS nik, state, nik_kind, relation, defects FROM registry_rows;
