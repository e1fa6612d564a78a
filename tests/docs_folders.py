"""Made-up data for each experiment on the page "Your data": a folder by its name there."""

from edf_files import write_edf
from folders import CHANNELS, make_events, make_noise, write_recording

from bare_files import make_raw
from bare_files import write as write_bare

SUBJECTS = ("01", "02")
N_TRIALS = 12


def _noise(seed, seconds=70):
    return make_noise(seconds, seed=seed)


def _rows(*columns, every=5.0, duration=4.0):
    """Rows of events.tsv: onset, duration, and what each column says of trial k."""
    return [
        (1.0 + every * k, duration, *(column(k) for column in columns)) for k in range(N_TRIALS)
    ]


def _turns(*values):
    return lambda k: values[k % len(values)]


def make_mine(root):
    """Films of two types, rated, with their files; 3 s of rest before each."""
    for number, subject in enumerate(SUBJECTS):
        rows = _rows(
            _turns("happy", "sad"),
            lambda k: f"clip{k:02}.mp4",
            _turns(7.1, 2.0, 8.0, 3.5),
            _turns(3.0, 6.5, 7.0, 2.5),
            every=8.0,
        )
        rows = [(onset + 3, *rest) for onset, *rest in rows]
        rows[4] = (*rows[4][:4], "n/a", rows[4][5])
        rows.append((2.0, 1.0, "fixation", "n/a", "n/a", "n/a"))
        columns = ("onset", "duration", "trial_type", "stim_file", "valence", "arousal")
        write_recording(
            root, subject, task="music", events=sorted(rows), columns=columns,
            data=_noise(number, 105),
        )  # fmt: skip


def make_emotions(root):
    """The emotion is in a column of its own, and trial_type is the same everywhere."""
    emotions = _turns("joy", "fear", "amusement", "disgust")
    for number, subject in enumerate(SUBJECTS):
        rows = _rows(_turns("film"), emotions)
        write_recording(
            root, subject, events=rows, columns=("onset", "duration", "trial_type", "emotion"),
            data=_noise(10 + number),
        )  # fmt: skip


def make_values(root):
    """Emotions in `value`, no trial_type, no duration."""
    for number, subject in enumerate(SUBJECTS):
        rows = _rows(_turns("joy", "fear"), duration="n/a")
        write_recording(
            root, subject, events=rows, columns=("onset", "duration", "value"),
            data=_noise(20 + number),
        )  # fmt: skip


def make_ratings(root):
    """Ratings from 0 to 100 in a column called valence_rating."""
    for number, subject in enumerate(SUBJECTS):
        rows = _rows(_turns("film"), _turns(81, 20, 66, 49.5))
        columns = ("onset", "duration", "trial_type", "valence_rating")
        write_recording(root, subject, events=rows, columns=columns, data=_noise(30 + number))


def make_spreadsheet(root):
    """Ratings in a table beside the data."""
    lines = ["participant_id,trial,valence,arousal"]
    for number, subject in enumerate(SUBJECTS):
        write_recording(root, subject, events=_rows(_turns("film")), data=_noise(40 + number))
        lines += [
            f"{int(subject)},{k + 1},{_turns(7, 2, 8, 3)(k)},{_turns(3, 6, 7, 2)(k)}"
            for k in range(N_TRIALS)
        ]
    (root / "ratings.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def make_answers(root):
    """Codes of a trigger box: films are 788, the answers 900 and more; a table has them."""
    lines = ["participant_id,trial,happy"]
    for number, subject in enumerate(SUBJECTS):
        rows = []
        for k in range(N_TRIALS):
            onset, answer = 1.0 + 5.5 * k, _turns(8, 2, 7, 3)(k)
            rows += [(onset, 20, 788), (onset + 4.5, 20, 900 + answer)]
            lines.append(f"sub-{subject},{k + 1},{answer}")
        write_recording(root, subject, events=rows, data=_noise(45 + number))
    (root / "answers.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def make_lengths(root):
    for number, subject in enumerate(SUBJECTS):
        rows = [(onset, 3.5 + k % 3 / 2, kind) for k, (onset, _, kind) in enumerate(make_events())]
        write_recording(root, subject, events=rows, data=_noise(85 + number))


def make_recordings(root):
    """Bare EDF files with annotations."""
    for number, name in enumerate(("anna", "ben")):
        trials = [(1.0 + 5 * k, 4.0, ("calm", "tense")[k % 2]) for k in range(N_TRIALS)]
        raw = make_raw(1.0 + number, trials=trials, seconds=64)
        write_bare(root / f"{name}.edf", raw)


def make_blocks(root):
    """Bare EDF files of one emotion each."""
    for number, name in enumerate(("anna", "ben", "carl")):
        for shift, kind in enumerate(("calm", "tense")):
            raw = make_raw(0.5 + number + shift / 4, trials=(), marks=False)
            write_bare(root / name / f"{kind}.edf", raw)


def make_broken(root):
    """Two runs each; the second of sub-02 was cut off."""
    for number, subject in enumerate(SUBJECTS):
        for run in ("01", "02"):
            folder, stem = write_recording(
                root, subject, run=run, data=_noise(50 + 2 * number + int(run))
            )
    (folder / f"{stem}_eeg.eeg").unlink()


def make_gaps(root):
    """EDF+D with a gap of 20 s inside the third film, and a cough marked in the table."""
    starts = [k if k < 12 else k + 20 for k in range(80)]
    for number, subject in enumerate(SUBJECTS):
        rows = make_events()
        rows[2] = (rows[2][0], 24.0, rows[2][2])
        rows[3:] = [(onset + 20, *rest) for onset, *rest in rows[3:]]
        rows.append((48.5, 0.5, "BAD_cough"))
        folder, stem = write_recording(root, subject, events=rows)
        for path in folder.glob(f"{stem}_eeg.[ev]*"):
            path.unlink()
        write_edf(
            folder / f"{stem}_eeg.edf", _noise(60 + number, 80), [128] * 8, CHANNELS, starts=starts
        )


def make_sessions(root):
    """The same twelve clips in each of two sessions."""
    columns = ("onset", "duration", "trial_type", "stim_file")
    for number, subject in enumerate(SUBJECTS):
        for session in ("1", "2"):
            rows = _rows(_turns("happy", "sad"), lambda k: f"clip{k:02}.mp4")
            write_recording(
                root, subject, ses=session, events=rows, columns=columns,
                data=_noise(70 + 2 * number + int(session)),
            )  # fmt: skip


def make_milliseconds(root):
    for number, subject in enumerate(SUBJECTS):
        rows = [(1000 * onset, 1000 * length, kind) for onset, length, kind in make_events()]
        write_recording(root, subject, events=rows, data=_noise(80 + number))


def make_twice(root):
    """Three people, of whom sub-03 is sub-02 in another unit and sign."""
    for number, subject in enumerate((*SUBJECTS, "03")):
        data = _noise(90 + number) if subject != "03" else -0.1 * _noise(91)
        write_recording(root, subject, data=data)


def make_cleaned(root):
    for number, subject in enumerate(SUBJECTS):
        data = _noise(100 + number)
        write_recording(root, subject, acq="raw", data=data)
        write_recording(root, subject, acq="clean", data=data - data.mean(axis=0))


def make_caps(root):
    """Channels in another order, and one that only the second person has; no positions."""
    others = ("Fz", *CHANNELS[::-1])
    write_recording(root, "01", data=_noise(110))
    write_recording(root, "02", names=others, data=make_noise(names=others, seed=111))


def make_deap(root):
    from eegemo import simulate_deap

    simulate_deap(root, n_subjects=2, n_trials=10, duration=5.0, formats=("python", "bdf"))


def make_dreamer(root):
    from eegemo import simulate_dreamer

    simulate_dreamer(root, n_subjects=2, n_trials=6, shortest=60.0, longest=61.0, rest=10.0)


FOLDERS = {
    f"data/{name.removeprefix('make_')}": make
    for name, make in list(globals().items())
    if name.startswith("make_") and name not in ("make_events", "make_noise", "make_raw")
}
