import pytest
from tests.tracershop.factories import *
from tracershop.models.reach import represented
@pytest.mark.django_db
def test_w(django_assert_num_queries):
    w = shop_world()
    q = represented(w.secretary).values_list()
    print(list(q), q.query)
    print(list(represented(w.secretary)))
