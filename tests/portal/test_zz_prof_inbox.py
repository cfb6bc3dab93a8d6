import cProfile, pstats, time, logging
import pytest
from tests.bench.bench_hl7 import _message
@pytest.mark.django_db(transaction=True)
def test_prof():
    from portal.inbox.hl7_intake import take
    from django.db import connection
    for i in range(50): a = take(_message("ORM^O01", f"w{i}")); 
    assert a.code == "AA", a
    t=time.perf_counter()
    for i in range(500): take(_message("ORM^O01", f"x{i}"))
    print("take us", (time.perf_counter()-t)/500*1e6)
    m=[_message("ORM^O01", f"y{i}") for i in range(500)]
    p=cProfile.Profile(); p.enable()
    for x in m: take(x)
    p.disable(); pstats.Stats(p).sort_stats("cumtime").print_stats(45)
