from goldsignal_pipeline.storage import migrations
def test_a(postgres_url, empty_url):
    assert migrations.current(postgres_url) == "0004"
    assert migrations.pending(empty_url) == ("0001","0002","0003","0004")
    migrations.upgrade(empty_url)
    migrations.downgrade(empty_url,"base")
    assert migrations.current(empty_url) is None
    migrations.upgrade(empty_url)
    assert migrations.pending(empty_url) == ()
