"""A VAL file and its vial, and vials of any kind, for the tests of what dispensers write."""

from __future__ import annotations

import string
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from hypothesis import strategies as st
from tracershop.interfaces.dispensed import DispensedVial

CPH = ZoneInfo("Europe/Copenhagen")
LINES = {
    "customer": "17-Køge Sygehus",
    "part": "1",
    "charge": "FDG-261121-1",
    "depotpos": "2",
    "filldate": "21.11.26",
    "filltime": "08:45:05",
    "activity": "13233.5 MBq;  ",
    "volume": "14.82 ml",
    "gros": "30.1 g",
    "tare": "15.28 g",
    "net": "14.82 g",
    "product": "18F",
    "use_before": "21/11/26 18:45",
    "dispenser": "UK465",
}
VIAL = DispensedVial(
    lot="FDG-261121-1",
    customer_id=17,
    customer_name="Køge Sygehus",
    filled_at=datetime(2026, 11, 21, 8, 45, 5, tzinfo=CPH),
    activity_mbq=13233.5,
    volume_ml=14.82,
    product="18F",
    expires_at=datetime(2026, 11, 21, 18, 45, tzinfo=CPH),
    dispenser="UK465",
    part="1",
    position="2",
    gross_g=30.1,
    tare_g=15.28,
    net_g=14.82,
)


def val(end="\r\n", encoding="iso-8859-1", without=(), **changes):
    lines = {key: value for key, value in (LINES | changes).items() if key not in without}
    return "".join(f"{key + ':':<12}{value}{end}" for key, value in lines.items()).encode(encoding)


latin_1 = st.characters(codec="iso-8859-1", categories=["L", "N", "P", "S", "Zs"])
words = st.text(latin_1, max_size=40).map(lambda text: " ".join(text.split()))
shorts = st.text(string.ascii_letters + string.digits + "-_./", max_size=20)
clocks = st.datetimes(datetime(2000, 1, 1), datetime(2068, 12, 31)).map(
    lambda clock: clock.replace(microsecond=0, tzinfo=CPH)
)
settled = clocks.filter(
    lambda at: (
        at.astimezone(UTC).astimezone(CPH).replace(tzinfo=None) == at.replace(tzinfo=None)
        and at.utcoffset() == at.replace(fold=1).utcoffset()
    )
)
amounts = st.decimals(0, 100_000, places=3).map(float)
weights = st.none() | st.decimals(0, 1000, places=2).map(float)
vials = st.builds(
    DispensedVial,
    lot=shorts.filter(bool),
    customer_id=st.none() | st.integers(0, 999_999_999),
    customer_name=words.filter(bool),
    filled_at=settled,
    activity_mbq=amounts,
    volume_ml=amounts,
    product=shorts,
    expires_at=st.none() | settled.map(lambda at: at.replace(second=0)),
    dispenser=words,
    part=shorts,
    position=shorts,
    gross_g=weights,
    tare_g=weights,
    net_g=weights,
)
