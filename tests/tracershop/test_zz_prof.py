import cProfile,pstats,pytest,time
from portal.operations.demo import load_all
from tests.tracershop.factories import local, stop_clock
from datetime import date
@pytest.mark.django_db
def test_p(monkeypatch,tmp_path):
    monkeypatch.setattr("tracershop.demo.examples.watched_folder", lambda: tmp_path)
    stop_clock(monkeypatch, local(date(2026,11,18), 15))
    p=cProfile.Profile(time.process_time); p.enable(); t=time.monotonic(); c=time.process_time()
    load_all()
    p.disable(); print("WALL",time.monotonic()-t, "CPU", time.process_time()-c)
    s=pstats.Stats(p); s.sort_stats("tottime").print_stats(14); s.sort_stats("cumulative").print_stats("portal/|modules/",40)
